import "@/shell/language";
import { createRoot } from "react-dom/client";
import { providerHost } from "@/shell/program";
import { App } from "./App";
import "@/theme/app.css";
import "@/words";

const root = document.getElementById("root");
if (root) createRoot(root).render(<App host={providerHost} />);
