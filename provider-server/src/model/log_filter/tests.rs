use proptest::prelude::*;

use super::*;

fn read(text: &str) -> LogFilter {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn test(text: &str) -> Test {
    let mut filter = read(text);
    assert_eq!(filter.terms.len(), 1, "{text}");
    filter.terms.remove(0).test
}

#[test]
fn the_words_of_the_filter_bar_are_read() {
    let text =
        "status:failed,parked code:5xx|timeout event:student.* try:>3 latency:>2s -event:student.updated after:-1h";
    let filter = read(text);
    let excluded: Vec<bool> = filter.terms.iter().map(|term| term.excluded).collect();
    assert_eq!(excluded, [false, false, false, false, false, true, false]);
    assert_eq!(filter.terms[0].test, Test::Status(vec![AttemptStatus::Failed, AttemptStatus::Parked]));
    let codes = vec![CodeTest::Codes(Span { from: 500, to: 599 }), CodeTest::Cause(Cause::Timeout)];
    assert_eq!(filter.terms[1].test, Test::Code(codes));
    assert_eq!(filter.terms[3].test, Test::Try(vec![Span { from: 4, to: Span::MAX }]));
    assert_eq!(filter.terms[4].test, Test::Latency(vec![Span { from: 2_000_001, to: Span::MAX }]));
    assert_eq!(filter.terms[6].test, Test::Since(When::Ago(3_600_000)));
    let canonical =
        "status:failed,parked code:5xx,timeout event:student.* try:>3 latency:>2s -event:student.updated since:-1h";
    assert_eq!(filter.to_string(), canonical);
}

#[test]
fn forms_of_values() {
    assert_eq!(test("latency:500"), Test::Latency(vec![Span { from: 500_000, to: 500_000 }]));
    assert_eq!(test("latency:10us..1s"), Test::Latency(vec![Span { from: 10, to: 1_000_000 }]));
    assert_eq!(test("TRY:<3"), Test::Try(vec![Span { from: 0, to: 2 }]));
    assert_eq!(test("code:none"), Test::Code(vec![CodeTest::Codes(Span { from: 0, to: 0 })]));
    assert_eq!(test("until:2026-11-23"), Test::Until(When::At(1_795_392_000_000)));
    assert_eq!(test("before:2026-11-23T00:00:00.5Z"), Test::Until(When::At(1_795_392_000_500)));
    let quoted =
        Test::Student(vec![StudentKey::SourcedId("a, \"b\" \\ c".into()), StudentKey::SourcedId("S-1".into())]);
    assert_eq!(test(r#"student:"a, \"b\" \\ c",S-1"#), quoted);
    assert!(read("  \t ").is_empty());
}

#[test]
fn a_refusal_names_the_word_and_its_place() {
    let cases = [
        ("status:failed cod:5xx", "`cod:5xx` at character 15: there is no such word"),
        ("é status:", "`é` at character 1: needs a word and a colon"),
        ("code:5xx  status:lost", "`status:lost` at character 11: `lost` is no status of an attempt; use delivered"),
        ("code:6xx", "`6xx` is no code; use 503"),
        ("cause:gremlins", "`gremlins` is no cause; use dns, connect"),
        ("event:teacher.*", "`teacher.*` is no event type; use student.created"),
        ("status:", "a value is missing"),
        ("status:failed,", "a value is missing"),
        ("student:\"S-1", "the closing quote is missing"),
        ("try:>many", "`>many` is no number here"),
        ("try:4..2", "fits nothing"),
        ("try:<0", "fits nothing"),
        ("try:+1", "is no number here"),
        ("since:yesterday", "`yesterday` is no time; use 2026"),
        ("since:-1h,-2h", "takes one time"),
        ("since:-é", "is no time"),
        ("id:evt_1", "is not a message's id"),
        ("latency:>2parsecs", "is no number here"),
        ("latency:99999999999999999999s", "is no number here"),
    ];
    for (text, expected) in cases {
        let error = text.parse::<LogFilter>().expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert!("x".repeat(5_000).parse::<LogFilter>().is_err());
    assert!("try:1 ".repeat(33).parse::<LogFilter>().is_err());
}

#[test]
fn what_can_only_be_trouble_is_known() {
    let yes = "status:failed -status:delivered cause:dns code:5xx code:none try:>1 trigger:resend -trigger:automatic -try:1 \
               code:timeout -code:2xx";
    let no = "status:delivered status:failed,delivered -status:failed -cause:dns code:200 code:>=100 try:>=1 -try:2 \
              trigger:automatic -trigger:resend event:student.* -code:200";
    for word in yes.split_whitespace() {
        assert!(read(word).is_about_trouble(), "{word}");
        assert!(read(&format!("event:* {word}")).is_about_trouble());
    }
    for word in no.split_whitespace() {
        assert!(!read(word).is_about_trouble(), "{word}");
    }
}

fn spans(max: i64) -> impl Strategy<Value = Vec<Span>> {
    let span = (0..max, 0..max, any::<bool>()).prop_map(|(a, b, open)| match open {
        true => Span { from: a, to: Span::MAX },
        false => Span { from: a.min(b), to: a.max(b) },
    });
    prop::collection::vec(span, 1..4)
}

fn one_to_three<T: Clone + fmt::Debug + 'static>(values: Vec<T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(prop::sample::select(values), 1..4)
}

fn whens() -> impl Strategy<Value = When> {
    prop_oneof![
        (-60_000_000_000_000i64..250_000_000_000_000).prop_map(When::At),
        (0i64..1_000_000_000).prop_map(|seconds| When::Ago(seconds * 1_000)),
    ]
}

fn tests() -> impl Strategy<Value = Test> {
    let code = prop_oneof![
        spans(1_000).prop_map(|spans| CodeTest::Codes(spans[0])),
        prop::sample::select(Cause::ALL.to_vec()).prop_map(CodeTest::Cause),
    ];
    let patterns: Vec<EventPattern> =
        EventType::ALL.into_iter().map(EventPattern::Is).chain([EventPattern::Begins("student.".into())]).collect();
    let student = prop_oneof!["\\PC{1,20}", "[ ,|\"\\\\a:-]{1,8}"].prop_map(StudentKey::SourcedId);
    let student = prop_oneof![student, any::<[u8; 10]>().prop_map(|r| StudentKey::Id(StudentId::new(1, r)))];
    prop_oneof![
        one_to_three(AttemptStatus::ALL.to_vec()).prop_map(Test::Status),
        prop::collection::vec(code, 1..4).prop_map(Test::Code),
        one_to_three(Cause::ALL.to_vec()).prop_map(Test::Cause),
        one_to_three(patterns).prop_map(Test::Event),
        prop::collection::vec(student, 1..4).prop_map(Test::Student),
        any::<[u8; 10]>().prop_map(|random| Test::Message(vec![EventId::new(2, random)])),
        one_to_three(Trigger::ALL.to_vec()).prop_map(Test::Trigger),
        spans(1_000).prop_map(Test::Try),
        spans(86_400_000_000).prop_map(Test::Latency),
        whens().prop_map(Test::Since),
        whens().prop_map(Test::Until),
    ]
}

proptest! {
    #[test]
    fn the_canonical_text_reads_back_to_the_same_filter(
        terms in prop::collection::vec((any::<bool>(), tests()), 0..6)
    ) {
        let filter = LogFilter { terms: terms.into_iter().map(|(excluded, test)| Term { excluded, test }).collect() };
        let text = filter.to_string();
        let again: LogFilter = text.parse().map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(again, filter);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}|([-a-z]{0,8}:[-<>=.0-9a-z\"\\\\,|µé ]{0,12} ?){0,4}") {
        if let Ok(filter) = text.parse::<LogFilter>() {
            prop_assert_eq!(filter.to_string().parse::<LogFilter>(), Ok(filter));
        }
    }
}
