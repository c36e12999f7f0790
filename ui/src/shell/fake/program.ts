import type { ProviderHost, SchoolHost } from "../host";
import { FakeHost } from "./host";
import { providerAnswers, schoolAnswers } from "./world";

/** The fake program of the browser builds: a signed-in console and an enrolled desk over a made-up district. */
export const providerHost: ProviderHost = new FakeHost(providerAnswers()).signedIn();
export const schoolHost: SchoolHost = new FakeHost(schoolAnswers());
