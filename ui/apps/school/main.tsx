import "@/shell/language";
import { createRoot } from "react-dom/client";
import { schoolHost } from "@/shell/program";
import { App } from "./App";
import "@/theme/app.css";
import "@/words";

const root = document.getElementById("root");
if (root) createRoot(root).render(<App host={schoolHost} />);
