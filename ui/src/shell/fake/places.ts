import { type Answers, refusal } from "./host";
import { DISTRICTS, SCHOOLS, schoolOf } from "./seed";

/** Districts and bare schools. */
export const places = (): Pick<Answers, "calls" | "streams"> => ({
  calls: {
    "DistrictService/ListDistricts": () => ({ districts: DISTRICTS.map((one) => ({ ...one, createdAt: undefined })) }),
    "SchoolService/ListSchools": ({ district }: { district: string }) => ({
      schools: SCHOOLS.filter(({ districtId }) => !district || districtId === district).map(bare),
      nextPageToken: "",
    }),
    "SchoolService/GetSchool": ({ school }: { school: string }) => {
      const found = schoolOf(school);
      if (!found) throw refusal("not_found", `there is no school ${school}`);
      return bare(found);
    },
  },
  streams: {},
});

const bare = ({ id, districtId, sourcedId, name, state }: (typeof SCHOOLS)[number], index = 0) => ({
  id,
  districtId,
  sourcedId,
  name,
  students: 30 + index * 4,
  headSequence: "4210",
  connection: { state, url: `https://sis.${sourcedId}.example/webhook`, ownReceiver: index % 3 === 1, secrets: [] },
  figures: {
    pending: "4",
    delivered: String(3_900 + index * 310),
    parked: state === "CONNECTION_STATE_DOWN" ? "212" : "0",
    held: "0",
    superseded: "11",
    discarded: "3",
    erased: "0",
    attempts: String(4_300 + index * 330),
    retried: String(120 + index * 17),
    everParked: String(index * 9),
  },
  createdAt: undefined,
});
