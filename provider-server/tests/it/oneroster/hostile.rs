//! Zips that want harm, and bytes that are nothing at all.

use std::io::{Cursor, Write};

use proptest::prelude::*;
use provider_server::oneroster::{Code, Limits, Options, Profile, ReadError};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::support::{Kept, bulk_1_2, check, check_with};

fn code(zip: &[u8], limits: Limits) -> Code {
    let options = Options { limits, ..Options::new(Profile::Lenient) };
    match check_with(zip, &options, Kept::default()).1 {
        Err(ReadError::Refused(problem)) => problem.code,
        other => panic!("refused, not {other:?}"),
    }
}

fn default_code(zip: &[u8]) -> Code {
    code(zip, Limits::default())
}

/// A zip of the base with one entry more, named as told.
fn with_entry(name: &str, options: SimpleFileOptions, bytes: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new_append(Cursor::new(bulk_1_2().zip())).unwrap();
    zip.start_file(name, options).unwrap();
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap().into_inner()
}

/// Renames an entry in place, in both headers; names of the same length.
fn renamed(zip: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut zip = zip.to_vec();
    let places: Vec<_> = (0..zip.len() - from.len()).filter(|&at| zip[at..].starts_with(from)).collect();
    assert!(places.len() >= 2);
    places.into_iter().for_each(|at| zip[at..at + to.len()].copy_from_slice(to));
    zip
}

#[test]
fn names_that_lead_elsewhere() {
    let plain = SimpleFileOptions::default();
    for (name, expected) in [
        ("roster/users.csv", Code::ZipFolder),
        ("__MACOSX/._users.csv", Code::ZipFolder),
        ("../../etc/cron.d/x", Code::ZipPath),
        ("C:\\users.csv", Code::ZipPath),
    ] {
        assert_eq!(default_code(&with_entry(name, plain, b"x")), expected, "{name}");
    }
    assert_eq!(default_code(&renamed(&with_entry("extra.csv", plain, b""), b"extra.csv", b"/etc/pass")), Code::ZipPath);
    let mut folder = ZipWriter::new(Cursor::new(Vec::new()));
    folder.add_directory("roster", plain).unwrap();
    assert_eq!(default_code(&folder.finish().unwrap().into_inner()), Code::ZipFolder);
    let mut link = ZipWriter::new(Cursor::new(Vec::new()));
    link.add_symlink("users.csv", "/etc/passwd", plain).unwrap();
    assert_eq!(default_code(&link.finish().unwrap().into_inner()), Code::ZipPath);
    assert_eq!(
        default_code(&renamed(&with_entry("users.CSV", plain, b""), b"users.CSV", b"users.csv")),
        Code::ZipDuplicate
    );
}

#[test]
fn bombs() {
    let zeros = vec![b'0'; 6 << 20];
    assert_eq!(default_code(&with_entry("bomb.csv", SimpleFileOptions::default(), &zeros)), Code::ZipRatio);
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let large = with_entry("large.csv", stored, &zeros);
    assert_eq!(code(&large, Limits { max_unzipped_bytes: 5 << 20, ..Limits::default() }), Code::ZipTooLarge);
    assert_eq!(code(&bulk_1_2().zip(), Limits { max_entries: 5, ..Limits::default() }), Code::ZipEntries);
    assert_eq!(code(&bulk_1_2().zip(), Limits { max_rows: 2, ..Limits::default() }), Code::TooManyRows);
    assert_eq!(code(&bulk_1_2().zip(), Limits { max_users: 2, ..Limits::default() }), Code::TooManyRows);
    assert_eq!(code(&bulk_1_2().zip(), Limits { max_orgs: 2, ..Limits::default() }), Code::TooManyRows);
    let endless = bulk_1_2().append("users.csv", &[&b"S9,\""[..], &vec![b'x'; 2 << 20]].concat());
    let options = Options::new(Profile::Lenient);
    let (kept, result) = check_with(&endless.zip(), &options, Kept::default());
    assert!(
        matches!(result, Err(ReadError::Refused(problem)) if problem.code == Code::RowTooLong && problem.line == 5)
    );
    assert!(kept.students.is_empty(), "refused in the first pass");
}

/// The directory says less than there is: only so much is ever unpacked.
#[test]
fn an_entry_longer_than_its_directory_says() {
    let mut zip = bulk_1_2().zip();
    let size = {
        let mut files = bulk_1_2();
        files.get("users.csv").len() as u32
    };
    let places: Vec<_> = (0..zip.len() - 4).filter(|&at| zip[at..at + 4] == size.to_le_bytes()).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| zip[at..at + 4].copy_from_slice(&(size - 1).to_le_bytes()));
    assert_eq!(default_code(&zip), Code::ZipDamaged);
}

#[test]
fn encrypted_or_packed_by_other_methods() {
    // The flag and the method are set in the headers, as another program would have written them.
    let zip = bulk_1_2().zip();
    let local = (0..zip.len()).filter(|&at| zip[at..].starts_with(b"PK\x03\x04")).map(|at| (at, 6));
    let central = (0..zip.len()).filter(|&at| zip[at..].starts_with(b"PK\x01\x02")).map(|at| (at, 8));
    let headers: Vec<_> = local.chain(central).collect();
    let (mut encrypted, mut packed) = (zip.clone(), zip.clone());
    for (at, flags) in headers {
        encrypted[at + flags] |= 1;
        packed[at + flags + 2] = 12;
    }
    assert_eq!(default_code(&encrypted), Code::ZipEncrypted);
    assert_eq!(default_code(&packed), Code::ZipMethod);
}

#[test]
fn cut_short_or_no_zip_at_all() {
    let zip = bulk_1_2().zip();
    for cut in (0..zip.len()).step_by(7) {
        assert_eq!(default_code(&zip[..cut]), Code::ZipDamaged, "{cut} of {} bytes", zip.len());
    }
    assert_eq!(default_code(b"sourcedId,status\n"), Code::ZipDamaged);
}

#[test]
fn a_flipped_bit_in_packed_bytes_is_found() {
    let zip = bulk_1_2().zip();
    let place = |name: &[u8]| zip.windows(name.len()).position(|window| window == name).unwrap();
    for at in place(b"users.csv") + 9..place(b"roles.csv") - 30 {
        let mut flipped = zip.clone();
        flipped[at] ^= 0x10;
        let (_, result) = check(&flipped, Profile::Lenient);
        assert!(matches!(result, Err(ReadError::Refused(_))), "byte {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(check(&bytes, Profile::Lenient).1.is_err());
    }

    #[test]
    fn a_mutated_zip_never_panics(places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut zip = bulk_1_2().zip();
        places.iter().for_each(|(at, byte)| { let at = at.index(zip.len()); zip[at] = *byte });
        let (kept, result) = check(&zip, Profile::Lenient);
        if let Ok(summary) = result {
            prop_assert_eq!(summary.students as usize, kept.students.len());
        }
    }

    #[test]
    fn mutated_rows_never_panic_and_every_student_is_accounted_for(
        file in prop::sample::select(vec!["users.csv", "roles.csv", "orgs.csv", "manifest.csv", "enrollments.csv"]),
        places in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"\",\n\r aZ0-\xC3\x00".to_vec())), 1..6),
        strict: bool,
    ) {
        let mut files = bulk_1_2();
        let text = files.get(file);
        // Names may change, and with them the canaries; the header may not, or nothing behind it is read.
        let header = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        places.iter().for_each(|(at, byte)| { let at = header + at.index(text.len() - header); text[at] = *byte });
        let profile = if strict { Profile::Strict } else { Profile::Lenient };
        let (kept, result) = check(&files.zip(), profile);
        let Ok(summary) = result else { return Ok(()) };
        prop_assert_eq!(summary.students as usize, kept.students.len());
        for id in ["S1", "S2"] {
            let accounted = kept.students.iter().any(|student| student.sourced_id == id)
                || kept.rejected.iter().any(|rejected| rejected.sourced_id.as_deref() == Some(id))
                || summary.hidden_rows > 0;
            // Only a row that became another's, legibly, may take a student away.
            let renamed = !kept.problems.is_empty() || kept.students.len() + summary.ignored_users as usize == 3;
            prop_assert!(accounted || renamed, "{id} vanished without a word");
        }
    }
}
