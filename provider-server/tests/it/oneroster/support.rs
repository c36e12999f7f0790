//! A sink that keeps everything, and zips made of text.

use std::io::{Cursor, Write};

use provider_server::oneroster::{
    Head, Options, OrgRow, OrgType, Problem, Profile, ReadError, Rejected, Severity, Sink, Stop, StudentRow, Summary,
    read,
};
use zip::{ZipWriter, write::SimpleFileOptions};

/// What came out of a read.
#[derive(Default)]
pub struct Kept {
    pub head: Option<Head>,
    pub orgs: Vec<OrgRow>,
    pub students: Vec<StudentRow>,
    pub rejected: Vec<Rejected>,
    pub problems: Vec<Problem>,
    /// Schools that the district has already.
    pub known: Vec<String>,
    /// Says stop after so many students.
    pub stop_after: Option<usize>,
}

impl Sink for Kept {
    fn head(&mut self, head: &Head) -> Result<(), Stop> {
        assert!(self.head.replace(head.clone()).is_none(), "one head");
        Ok(())
    }

    fn org(&mut self, org: OrgRow) -> Result<(), Stop> {
        assert!(self.head.is_some() && self.students.is_empty(), "head, orgs, students");
        self.orgs.push(org);
        Ok(())
    }

    fn student(&mut self, student: StudentRow) -> Result<(), Stop> {
        self.students.push(student);
        if self.stop_after.is_some_and(|after| self.students.len() >= after) { Err(Stop) } else { Ok(()) }
    }

    fn rejected(&mut self, rejected: Rejected) -> Result<(), Stop> {
        self.rejected.push(rejected);
        Ok(())
    }

    fn problem(&mut self, problem: Problem) -> Result<(), Stop> {
        self.problems.push(problem);
        Ok(())
    }

    fn known_org(&self, sourced_id: &str) -> Option<OrgType> {
        self.known.iter().any(|known| known == sourced_id).then_some(OrgType::School)
    }
}

impl Kept {
    pub fn student(&self, sourced_id: &str) -> &StudentRow {
        self.students.iter().find(|student| student.sourced_id == sourced_id).expect("the student was handed over")
    }

    /// Code, file and line of every problem.
    pub fn found(&self) -> Vec<(&'static str, String, u64)> {
        self.problems.iter().map(|p| (p.code.as_str(), p.file.to_string(), p.line)).collect()
    }

    pub fn errors(&self) -> Vec<&Problem> {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error).collect()
    }
}

/// Reads bytes with a profile.
pub fn check(zip: &[u8], profile: Profile) -> (Kept, Result<Summary, ReadError>) {
    check_with(zip, &Options::new(profile), Kept::default())
}

/// Reads bytes into a sink.
pub fn check_with(zip: &[u8], options: &Options, mut kept: Kept) -> (Kept, Result<Summary, ReadError>) {
    let result = read(Cursor::new(zip), options, &mut kept);
    (kept, result)
}

/// Files by name, packed into a zip in this order.
#[derive(Clone, Debug)]
pub struct Files(pub Vec<(String, Vec<u8>)>);

impl Files {
    pub fn zip(&self) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in &self.0 {
            zip.start_file(name.as_str(), SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    pub fn get(&mut self, name: &str) -> &mut Vec<u8> {
        &mut self.0.iter_mut().find(|(file, _)| file == name).expect("a file of the base").1
    }

    /// Replaces the only place where `from` stands.
    pub fn replace(mut self, name: &str, from: &str, to: &str) -> Self {
        let text = String::from_utf8(self.get(name).clone()).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from:?} stands once in {name}");
        *self.get(name) = text.replace(from, to).into_bytes();
        self
    }

    pub fn append(mut self, name: &str, bytes: &[u8]) -> Self {
        self.get(name).extend_from_slice(bytes);
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|(file, _)| file != name);
        self
    }

    pub fn with(mut self, name: &str, bytes: &[u8]) -> Self {
        self.0.push((name.to_owned(), bytes.to_owned()));
        self
    }
}

fn files(list: [(&str, &str); 6]) -> Files {
    Files(list.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect())
}

/// Two schools, two students, a teacher; no problem in it.
pub fn bulk_1_2() -> Files {
    files([
        (
            "manifest.csv",
            "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\nfile.orgs,bulk\nfile.users,bulk\n\
             file.roles,bulk\nfile.enrollments,bulk\nfile.demographics,absent\nfile.classes,bulk\n",
        ),
        (
            "orgs.csv",
            "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\n\
             D1,,,Maple District,district,1,\nA,,,Alder School,school,2,D1\nB,,,Birch School,school,3,D1\n",
        ),
        (
            "users.csv",
            "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,identifier,email,sms,\
             phone,agentSourcedIds,grades,password,userMasterIdentifier,preferredGivenName,preferredMiddleName,\
             preferredFamilyName,primaryOrgSourcedId,pronouns\n\
             S1,,,true,canary1,,Canarygiven,Canaryfamily,,101,canary@x.org,,,,07,,,,,,A,\n\
             S2,,,false,canary2,,\"O'Canary, Jr.\",Canarylast,,102,,,,,\"08,09\",,,Canarypref,,,,\n\
             T1,,,true,teach,,Canaryteach,Canaryt,,103,,,,,,,,,,,A,\n",
        ),
        (
            "roles.csv",
            "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,userProfileSourcedId\n\
             R1,,,S1,primary,student,2026-08-17,2027-06-10,A,\nR2,,,S2,primary,student,,,B,\nR3,,,S2,secondary,student,,,A,\n\
             R4,,,T1,primary,teacher,,,A,\n",
        ),
        (
            "enrollments.csv",
            "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n\
             E1,,,C1,A,S1,student,,2026-08-17,2027-06-10\nE2,,,C1,A,T1,teacher,true,,\n",
        ),
        ("classes.csv", "sourcedId\n"),
    ])
}

/// The same people by 1.1.
pub fn bulk_1_1() -> Files {
    let mut files = bulk_1_2()
        .without("roles.csv")
        .replace("manifest.csv", "oneroster.version,1.2", "oneroster.version,1.1")
        .replace("manifest.csv", "file.roles,bulk\n", "");
    *files.get("users.csv") =
        "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,middleName,\
         identifier,email,sms,phone,agentSourcedIds,grades,password\n\
         S1,,,true,A,student,canary1,,Canarygiven,Canaryfamily,,101,canary@x.org,,,,07,\n\
         S2,,,false,B,student,canary2,,\"O'Canary, Jr.\",Canarylast,,102,,,,,\"08,09\",\n\
         T1,,,true,\"A,B\",teacher,teach,,Canaryteach,Canaryt,,103,,,,,,\n"
            .into();
    files
}

/// One change of each kind.
pub fn delta_1_2() -> Files {
    let mut files = bulk_1_2().without("enrollments.csv").without("classes.csv").without("orgs.csv");
    *files.get("manifest.csv") = "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\nfile.orgs,absent\n\
         file.users,delta\nfile.roles,delta\n"
        .into();
    let users = String::from_utf8(files.get("users.csv").clone()).unwrap();
    let header = users.lines().next().unwrap();
    *files.get("users.csv") = format!(
        "{header}\n\
         S1,active,2026-11-23T06:00:00.000Z,true,canary1,,Canarygiven,Canaryfamily,,101,,,,,08,,,,,,A,\n\
         S2,tobedeleted,2026-11-23T07:00:00.000Z,true,canary2,,Canaryb,Canarylast,,102,,,,,08,,,,,,,\n"
    )
    .into();
    *files.get("roles.csv") =
        "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,userProfileSourcedId\n\
         R7,tobedeleted,2026-11-23T06:00:00.000Z,S9,primary,student,,,A,\n\
         R8,active,2026-11-23T06:00:00.000Z,S9,primary,student,,,B,\n"
            .into();
    files
}
