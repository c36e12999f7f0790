import { useCall } from "@/api/hooks";
import type { School } from "@/gen/rollcall/provider/v1/school";
import { listed } from "./useSchools";

/** While somebody waits for a code's redemption or a secret. */
const WAITING_MS = 2_000;
const EVERY_MS = 15_000;

const isWaiting = (school: School | undefined) => {
  const { code, secrets, ownReceiver } = school?.connection || {};
  return (
    code?.state === "issued" ||
    code?.state === "claimed" ||
    (ownReceiver && secrets?.length === 0) ||
    secrets?.some(({ state }) => state === "pending")
  );
};

/** One school, read again while it is shown; often while something of it is waited for. */
export function useSchool(school: string, enabled = true) {
  return useCall(
    "SchoolService/GetSchool",
    { school },
    {
      enabled,
      refetchInterval: ({ state }) => (isWaiting(state.data) ? WAITING_MS : EVERY_MS),
    },
  );
}

/** A school with its last 24 hours, where the dashboard's figures know it. */
export function useListed(school: School) {
  const overview = useCall("LogService/GetOverview", { district: school.districtId }, { staleTime: 15_000 });
  return {
    ...listed(
      school,
      overview.data?.schools.find(({ schoolId }) => schoolId === school.id),
    ),
    at: overview.data?.at,
  };
}
