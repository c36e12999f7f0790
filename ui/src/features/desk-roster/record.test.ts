import { expect, test } from "vitest";
import { recordOf, valueWords } from "./record";

test("values are said in words of people, and what is no JSON as it is", () => {
  expect(valueWords('"José"')).toBe("José");
  expect(valueWords('["07","08"]')).toBe("07, 08");
  expect(valueWords("true")).toBe("true");
  expect(valueWords('[{"schoolSourcedId":"sch-7","roleType":"primary"},{"schoolSourcedId":"sch-8"}]')).toBe(
    "schoolSourcedId: sch-7, roleType: primary\nschoolSourcedId: sch-8",
  );
  expect(valueWords("{broken")).toBe("{broken");
});

test("a record that cannot be read is an empty one", () => {
  expect(recordOf("{broken")).toEqual({});
  expect(recordOf("null")).toEqual({});
  expect(recordOf('{"identifier":"7"}')).toEqual({ identifier: "7" });
});
