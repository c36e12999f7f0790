import type { EnrollmentService, SchoolLinkService } from "@/gen/rollcall/provider/v1/enrollment";
import type { ImportService } from "@/gen/rollcall/provider/v1/import";
import type { AuditService, LogService } from "@/gen/rollcall/provider/v1/log";
import type { DistrictService, SchoolService } from "@/gen/rollcall/provider/v1/school";
import type { StaffService } from "@/gen/rollcall/provider/v1/staff";
import type { StudentService } from "@/gen/rollcall/provider/v1/student";
import type { ReceiverService } from "@/gen/rollcall/school/v1/receiver";
import type { Observable } from "./observable";

interface Services {
  AuditService: AuditService;
  DistrictService: DistrictService;
  EnrollmentService: EnrollmentService;
  ImportService: ImportService;
  LogService: LogService;
  ReceiverService: ReceiverService;
  SchoolLinkService: SchoolLinkService;
  SchoolService: SchoolService;
  StaffService: StaffService;
  StudentService: StudentService;
}

/** In requests every field may be left out: proto JSON then takes the default. */
export type Partly<T> = T extends (infer U)[] ? Partly<U>[] : T extends object ? { [K in keyof T]?: Partly<T[K]> } : T;

type Rpc<S extends keyof Services, M extends keyof Services[S]> = Services[S][M] extends (request: infer Q) => infer A
  ? A extends Promise<infer R>
    ? { kind: "unary"; request: Partly<Q>; response: R }
    : A extends Observable<infer R>
      ? { kind: "stream"; request: Partly<Q>; response: R }
      : never
  : never;

/** Every rpc of the schema by its name, `Service/Method`. */
export type Rpcs = {
  [S in keyof Services as `${S}/${Extract<keyof Services[S], string>}`]: never;
} extends infer Names
  ? {
      [N in keyof Names]: N extends `${infer S}/${infer M}`
        ? S extends keyof Services
          ? M extends keyof Services[S]
            ? Rpc<S, M>
            : never
          : never
        : never;
    }
  : never;

type OfKind<K> = { [N in keyof Rpcs]: Rpcs[N] extends { kind: K } ? N : never }[keyof Rpcs];

/** Rpcs with one answer. */
export type Method = OfKind<"unary">;
/** Rpcs that answer a stream. */
export type StreamMethod = OfKind<"stream">;
export type RequestOf<N extends keyof Rpcs> = Rpcs[N] extends { request: infer Q } ? Q : never;
export type ResponseOf<N extends keyof Rpcs> = Rpcs[N] extends { response: infer R } ? R : never;
