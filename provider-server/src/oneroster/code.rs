//! Every finding there is: its stable code, what it says, and how to fix it.

macro_rules! codes {
    ($($variant:ident $code:literal $message:literal $fix:literal;)+) => {
        /// A kind of problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $message] $variant,)+ }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Self::$variant,)+];

            /// The stable name, for example `row.width`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// What is wrong, in words.
            pub fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)+ }
            }

            /// What to do about it.
            pub fn how_to_fix(self) -> &'static str {
                match self { $(Self::$variant => $fix,)+ }
            }
        }
    };
}

codes! {
    ZipDamaged "zip.damaged" "the zip is cut short or damaged" "export it again and upload the whole file";
    ZipTooLarge "zip.too_large" "the zip holds more than is accepted" "split it, or raise the limit";
    ZipRatio "zip.ratio" "a file unpacks to far more than its packed size, as a zip bomb does" "export it again with ordinary compression";
    ZipEntries "zip.entries" "the zip has too many entries" "keep only the OneRoster files in it";
    ZipPath "zip.path" "an entry's name leads out of the zip" "zip the files by their plain names";
    ZipFolder "zip.folder" "an entry lies in a folder" "zip the files themselves, not the folder around them";
    ZipDuplicate "zip.duplicate" "two entries have the same name" "keep one of them";
    ZipEncrypted "zip.encrypted" "an entry is encrypted" "zip without a password";
    ZipMethod "zip.method" "an entry is packed by another method than stored or deflated" "zip with ordinary compression";
    ZipExtra "zip.extra_file" "the file is none of OneRoster's and was not read" "leave it out of the zip";

    ManifestMissing "manifest.missing" "there is no manifest.csv" "add manifest.csv at the root of the zip";
    ManifestRow "manifest.row" "the manifest's line is not a property and a value" "write propertyName,value";
    ManifestDuplicate "manifest.duplicate" "the property stands twice" "keep one of the lines";
    ManifestVersion "manifest.version" "manifest.version must be 1.0" "write manifest.version,1.0";
    OneRosterVersion "manifest.oneroster_version" "oneroster.version must be 1.1 or 1.2" "write the version that the files follow";
    ManifestValue "manifest.value" "a file is bulk, delta or absent" "write one of these three";
    ManifestFileMissing "manifest.file_missing" "the manifest names this file but the zip does not hold it" "add the file, or write absent";
    ManifestFileUnlisted "manifest.file_unlisted" "the zip holds this file but the manifest does not name it bulk or delta" "name it in the manifest, or leave it out";
    ManifestRequired "manifest.required" "a bulk roster needs this file" "export it too";
    ManifestMixed "manifest.mixed" "users.csv and roles.csv must both be bulk, or both be delta" "export both in the same kind";

    HeaderMismatch "header.mismatch" "the header differs from the standard's; names, case and order count" "write the header of the standard; metadata.* columns come last";
    FileEmpty "file.empty" "the file has no header" "write the header even where there are no rows";
    TooManyRows "file.too_many_rows" "the file has more rows than are accepted" "split the district, or raise the limit";

    RowWidth "row.width" "the row has another number of columns than the header" "quote values that contain a comma, and fill every column";
    RowUtf8 "row.utf8" "the row is not UTF-8" "export the file as UTF-8";
    RowQuote "row.quote" "a quotation mark is not doubled or not closed" "quote by RFC 4180: double every quotation mark inside quotes";
    RowTooLong "row.too_long" "the row is longer than 1 MiB, as after a quotation mark that is never closed" "close the quotation mark";
    RowBlank "row.blank" "the line is blank" "remove it";

    Required "value.required" "a required value is blank" "fill it in";
    Spaces "value.spaces" "the value has spaces around it" "remove them";
    SourcedId "value.sourced_id" "a sourcedId has 1 to 255 of the characters 0-9 A-Z a-z . - _ / @" "correct the id at its source";
    Boolean "value.boolean" "the value must be exactly true or false" "write true or false";
    BadDate "value.date" "a date is written YYYY-MM-DD" "write the date in this form";
    BadDateTime "value.datetime" "a time is written YYYY-MM-DDThh:mm:ss.sssZ" "write the time in this form";
    NotInList "value.not_in_list" "the value is none of the standard's list" "use a value of the list, in its case";
    TooLong "value.too_long" "the value is longer than 255 characters" "shorten it";
    Control "value.control" "the value contains a control character, such as a line break" "remove it";
    Email "value.email" "the e-mail address is malformed" "correct it at its source; it is kept as it is";
    BulkFilled "value.bulk_filled" "status and dateLastModified are blank in a bulk file" "leave both blank, or export a delta";
    DeltaBlank "value.delta_blank" "status and dateLastModified are filled in a delta file" "fill both";
    DateOrder "date.order" "beginDate must be before endDate" "correct the dates; endDate is the day after the last";

    IdDuplicate "id.duplicate" "the sourcedId stands in an earlier row of this file" "keep one row per sourcedId";
    IdentifierDuplicate "identifier.duplicate" "another student of this file has the same identifier" "give every student an identifier of its own";
    RefOrg "ref.org" "the org named is not in orgs.csv" "add the org, or correct the reference";
    RefUser "ref.user" "the user named is not in users.csv" "add the user, or correct the reference";
    RefParent "ref.parent" "the parent named is not in orgs.csv" "add the parent, or correct the reference";

    PrimaryTwice "role.primary_twice" "the user has two primary roles as a student in the same org" "keep one primary role per user and org";
    PrimarySeveral "role.primary_several" "the student has primary roles in several schools; the first, or the one in primaryOrgSourcedId, is taken as primary" "mark the others secondary";
    PrimaryMissing "role.primary_missing" "the student has no primary role in a school; the first school is taken as primary" "mark one role primary";
    PrimaryOrg "role.primary_org" "primaryOrgSourcedId is none of the student's schools and was not used" "name a school in which the student has a role";
    RoleRepeated "role.repeated" "the student has several roles in the same school; one is kept" "keep one role per student and school";
    RoleNotSchool "role.not_school" "a student's role is in an org that is no school and makes no enrollment" "give the student a role in a school";
    SeveralOrgs "role.several_orgs" "the student is in several schools; the first is taken as primary" "put the primary school first";
    NoSchool "student.no_school" "the student is in no school" "add a role in a school";
    RowOfStudent "student.row_rejected" "another row of this student was rejected, so the student was left as is" "correct that row";

    ColumnIgnored "column.ignored" "the column holds values that are never stored; it was ignored" "leave the column blank";
    FileIgnored "file.ignored" "birth dates are not switched on for this district; the file was not read" "leave it out of the export";
    RecordRefused "record.refused" "the record is refused" "correct the row, or the record that is there";
    More "problems.more" "there are more problems of this kind than are listed" "correct the listed ones first";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_dotted() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(names.iter().all(|name| name.split('.').count() == 2));
    }
}
