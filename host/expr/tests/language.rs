//! What expressions mean, each rule with its twin.

#[path = "support/event.rs"]
mod event;

use event::Event;
use serde_json::{Value as Json, json};
use wasmill_expr::{EvalError, Kind, Program};

const YES: Result<bool, EvalError> = Ok(true);
const NO: Result<bool, EvalError> = Ok(false);
const NO_FIELD: Result<bool, EvalError> = Err(EvalError::NoSuchField);
const NO_OVERLOAD: Result<bool, EvalError> = Err(EvalError::NoSuchOverload);

fn event() -> Json {
    json!({
        "severity": "ERROR",
        "count": 5,
        "ratio": 0.5,
        "big": 9_007_199_254_740_993_i64,
        "huge": u64::MAX,
        "flag": true,
        "nothing": null,
        "tags": ["a", "b\n", 3],
        "source": {"ip": "10.0.0.7", "odd key": 1, "dot.key": 2},
        "source-ip": "10.0.0.8",
        "quoted": "say \"hi\"",
        "namespace": "prod",
        "zero": 0,
    })
}

fn test(source: &str) -> Result<bool, EvalError> {
    let program = Program::condition(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    let event = Event::new(&event(), program.columns());
    let answer = program.test(&event);
    assert_eq!(program.matches(&event), answer == Ok(true), "{source}");
    answer
}

fn check(cases: &[(&str, Result<bool, EvalError>)]) {
    for (source, expected) in cases {
        assert_eq!(test(source), *expected, "{source}");
    }
}

#[test]
fn fields_are_compared_with_literals_of_their_type() {
    check(&[
        ("severity == 'ERROR'", YES),
        ("'ERROR' == severity", YES),
        ("severity != 'ERROR'", NO),
        ("severity < 'F'", YES),
        ("'F' <= severity", NO),
        ("count == 5", YES),
        ("count == 5u", YES),
        ("count == 5.0", YES),
        ("count >= 5.5", NO),
        ("4 < count", YES),
        ("ratio <= 0.5", YES),
        ("ratio > 0", YES),
        ("flag", YES),
        ("flag == true", YES),
        ("false == flag", NO),
        ("!flag", NO),
    ]);
}

#[test]
fn equality_with_another_type_is_false_and_order_is_an_error() {
    check(&[
        ("severity == 5", NO),
        ("severity != 5", YES),
        ("count == 'ERROR'", NO),
        ("count != 'ERROR'", YES),
        ("flag == 'true'", NO),
        ("severity == true", NO),
        ("count in ['5']", NO),
        ("severity in [5]", NO),
        ("nothing == 'x'", NO),
        ("severity > 5", NO_OVERLOAD),
        ("count < 'x'", NO_OVERLOAD),
        ("nothing < 1", NO_OVERLOAD),
        ("count", NO_OVERLOAD),
        ("count.contains('5')", NO_OVERLOAD),
        ("nothing.startsWith('5')", NO_OVERLOAD),
        ("tags.matches('5')", NO_OVERLOAD),
    ]);
}

#[test]
fn a_field_that_is_not_there_is_an_error_that_has_avoids() {
    check(&[
        ("missing == 'x'", NO_FIELD),
        ("missing != 'x'", NO_FIELD),
        ("missing < 1", NO_FIELD),
        ("missing", NO_FIELD),
        ("missing == null", NO_FIELD),
        ("missing in ['x']", NO_FIELD),
        ("missing.contains('x')", NO_FIELD),
        ("severity.ip == 'x'", NO_FIELD),
        ("size(missing) == 0", NO_FIELD),
        ("has(missing)", NO),
        ("has(severity)", YES),
        ("has(source.ip)", YES),
        ("has(source.port)", NO),
        ("has(severity.port)", NO),
        ("has(nothing)", YES),
        ("has(missing) && missing == 'x'", NO),
        ("!has(missing) || missing == 'x'", YES),
    ]);
}

#[test]
fn null_is_a_value() {
    check(&[("nothing == null", YES), ("nothing != null", NO), ("severity == null", NO), ("null != severity", YES)]);
}

#[test]
fn and_and_or_absorb_errors_where_the_other_side_decides() {
    check(&[
        ("missing && false", NO),
        ("false && missing", NO),
        ("missing || true", YES),
        ("count || missing || true", YES),
        ("missing && true", NO_FIELD),
        ("missing || false", NO_FIELD),
        ("count && missing", NO_OVERLOAD),
        ("!(missing || false)", NO_FIELD),
        ("missing ? true : true", NO_FIELD),
        ("true ? true : missing", YES),
        ("false ? missing : flag", YES),
    ]);
}

#[test]
fn paths_take_odd_keys() {
    check(&[
        ("source.ip == '10.0.0.7'", YES),
        ("source['ip'] == '10.0.0.7'", YES),
        ("source['odd key'] == 1", YES),
        ("source[\"dot.key\"] == 2", YES),
        ("source.`odd key` == 1", YES),
        ("`source-ip` == '10.0.0.8'", YES),
        ("`namespace` == 'prod'", YES),
        (".severity == 'ERROR'", YES),
        ("(source).ip == '10.0.0.7'", YES),
    ]);
}

#[test]
fn integers_beyond_the_exact_floats_keep_their_value() {
    check(&[
        ("big == 9007199254740993", YES),
        ("big == 9007199254740992", NO),
        ("big > 9007199254740992.0", YES),
        ("big in [9007199254740992, 9007199254740994]", NO),
        ("huge == 18446744073709551615u", YES),
        ("huge > 9007199254740991", YES),
        ("huge < 18446744073709551616.0", YES),
    ]);
}

#[test]
fn in_looks_into_lists_and_objects() {
    check(&[
        ("severity in ['FATAL', 'ERROR', 'X']", YES),
        ("severity in ['FATAL', 'WARN', 'ERRO']", NO),
        ("count in [1, 5.0]", YES),
        ("count in [1, 'x', 5]", YES),
        ("count in [zero, ratio]", NO),
        ("5 in [zero, count]", YES),
        ("5 in [count, missing]", NO_FIELD),
        ("severity in []", NO),
        ("'a' in tags", YES),
        ("'b\\n' in tags", YES),
        ("3.0 in tags", YES),
        ("'c' in tags", NO),
        ("severity in tags", NO),
        ("'ip' in source", YES),
        ("'port' in source", NO),
        ("'x' in severity", NO_OVERLOAD),
        ("'x' in missing", NO_FIELD),
        ("!('c' in tags)", YES),
    ]);
}

#[test]
fn text_methods_look_into_text() {
    check(&[
        ("severity.contains('RRO')", YES),
        ("severity.contains('rro')", NO),
        ("severity.startsWith('ERR')", YES),
        ("severity.startsWith('RR')", NO),
        ("severity.endsWith('OR')", YES),
        ("severity.endsWith('ER')", NO),
        ("severity.contains('')", YES),
        ("severity.matches('^E.*R$')", YES),
        ("severity.matches('R{3}')", NO),
        ("source.ip.matches(r'^10\\.')", YES),
        ("'10.0.0.7:80'.startsWith(source.ip)", YES),
        ("source.ip.contains(severity)", NO),
        ("'abc'.matches('b')", YES),
        ("quoted.contains('\"hi\"')", YES),
        ("(flag ? severity : source.ip).contains('ERR')", YES),
    ]);
}

#[test]
fn size_counts_what_a_value_holds() {
    check(&[
        ("size(severity) == 5", YES),
        ("severity.size() == 5", YES),
        ("size(tags) > 2", YES),
        ("size(source) == 3", NO_OVERLOAD),
        ("size(quoted) == 8", YES),
        ("size('é😀') == 2", YES),
        ("size([1, 2]) == 2", YES),
        ("size(count) == 1", NO_OVERLOAD),
    ]);
}

#[test]
fn arithmetic_is_checked_and_typed() {
    check(&[
        ("count + 1 == 6", YES),
        ("count * 2 - 3 == 7", YES),
        ("count / 2 == 2", YES),
        ("count % 3 == 2", YES),
        ("-count < 0", YES),
        ("ratio * 4.0 == 2.0", YES),
        ("-ratio == -0.5", YES),
        ("count + zero > 4 && count / 2 * 2 + count % 2 == count", YES),
        ("ratio * 2 == 1.0", NO_OVERLOAD),
        ("huge + 1 == 0", NO_OVERLOAD),
        ("severity + tags == 'x'", NO_OVERLOAD),
        ("count / zero == 1", Err(EvalError::DivisionByZero)),
        ("huge + 1u == 0u", Err(EvalError::Overflow)),
        ("count * 9223372036854775807 == 0", Err(EvalError::Overflow)),
        ("1 / 0 > 1 || true", YES),
    ]);
}

#[test]
fn fields_are_compared_with_fields() {
    check(&[
        ("source.ip == `source-ip`", NO),
        ("source.ip < `source-ip`", YES),
        ("count > ratio", YES),
        ("count > severity", NO_OVERLOAD),
        ("count == severity", NO),
        ("tags == ['a', 'b\\n', 3]", YES),
        ("tags != ['a']", YES),
        ("flag == (count == 5)", YES),
        ("source == source", NO_OVERLOAD),
    ]);
}

#[test]
fn every_use_reads_the_kind_it_needs() {
    let columns = |source: &str| {
        let program = Program::condition(source).unwrap();
        program.columns().iter().map(|column| (column.path.clone(), column.kind)).collect::<Vec<_>>()
    };
    let column = |path: &str, kind| (path.to_owned(), kind);
    assert_eq!(columns("a == 'x' || a in ['y'] || a.contains('z')"), [column("a", Kind::Text)]);
    assert_eq!(columns("a == 'x' || a > 3"), [column("a", Kind::Text), column("a", Kind::Float)]);
    assert_eq!(columns("a && !b.c"), [column("a", Kind::Boolean), column("b.c", Kind::Boolean)]);
    assert_eq!(columns("a > 9007199254740992"), [column("a", Kind::Json)]);
    assert_eq!(columns("a == b"), [column("a", Kind::Json), column("b", Kind::Json)]);
    assert_eq!(columns("has(a) && a != null && a == 'x'"), [column("a", Kind::Text)]);
    assert_eq!(columns("has(a)"), [column("a", Kind::Json)]);
    assert_eq!(columns("a['b.c'] == 1"), [column(r"a.b\.c", Kind::Float)]);
    assert_eq!(columns("1 < 2"), []);
}

#[test]
fn a_bound_program_reads_the_slots_it_was_given() {
    let wide = Program::condition("count == 0 && severity == '' && ratio == 0 && source.ip == ''").unwrap();
    let event = Event::new(&event(), wide.columns());
    let mut program = Program::condition("source.ip.startsWith('10.') && severity == 'ERROR' && 1 in [1, 2]").unwrap();
    program.bind(&[3, 1]);
    assert_eq!(program.test(&event), Ok(true));
    program.bind(&[1, 3]);
    assert_eq!(program.test(&event), Ok(false));
}

#[test]
fn an_error_does_not_match() {
    let program = Program::condition("missing == 'x' || count").unwrap();
    assert!(!program.matches(&Event::new(&event(), program.columns())));
}
