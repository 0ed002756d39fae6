//! What an author's types and functions mean, on all the kinds of values; natively, through the same loops as in a component.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;
use wasmill_sdk::{
    Alert, Batch, Cell, Config, Enricher, Event, Fields, Json, Kind, Lists, Loaded, Output, Rejection, Severity, Slot,
    Slots, State, Timestamp, Validator, Verdict, Write,
};

/// Every way to read a field.
mod reading {
    use super::*;

    #[derive(Fields)]
    pub(crate) struct Log<'a> {
        text: &'a str,
        #[field(path = "a.b\\.c")]
        integer: i64,
        float: f64,
        boolean: bool,
        json: Json<'a>,
        #[field(path = "text")]
        slot: Slot<i64>,
        option: Option<&'a str>,
        #[field(raw)]
        raw: &'a str,
        #[field(raw)]
        bytes: &'a [u8],
        #[field(time)]
        time_ns: i64,
        #[field(dynamic)]
        slots: Slots<'a>,
    }

    #[wasmill_sdk::validator]
    pub(crate) fn read(log: Log<'_>) -> Result<(), Rejection> {
        assert!(log.slots.is_empty() && log.raw.as_bytes() == log.bytes);
        assert_eq!(log.slot, Slot::OtherType);
        let Log { text, integer, float, boolean, json, option, time_ns, .. } = log;
        Err(Rejection::new("read", format!("{text} {integer} {float} {boolean} {} {option:?} {time_ns}", json.0)))
    }
}

const FULL: &str = r#"{"text":"ä\n","a":{"b.c":-7},"float":2,"boolean":true,"json":[1, {}],"option":5}"#;

#[test]
fn every_type_of_field_is_read() {
    let plugin = Loaded::<reading::read>::configure("{}").unwrap();
    let verdicts = plugin.validate_json(&[(FULL, 9), (r#"{"text":"x"}"#, 0)]);
    assert_eq!(verdicts[0].rejection().unwrap().reason, "ä\n -7 2 true [1,{}] None 9");
    assert_eq!(verdicts[1].rejection().unwrap().code, "missing_field");
}

#[test]
fn the_manifest_has_the_fields_in_order() {
    let plugin = Loaded::<reading::read>::configure("{}").unwrap();
    let manifest = plugin.manifest();
    assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("wasmill-sdk", "0.1.0"));
    let reads: Vec<_> = manifest.reads.iter().map(|field| (&*field.path, field.kind, field.required)).collect();
    let expected = [
        ("text", Kind::Text, true),
        ("a.b\\.c", Kind::Integer, true),
        ("float", Kind::Float, true),
        ("boolean", Kind::Boolean, true),
        ("json", Kind::Json, true),
        ("text", Kind::Integer, false),
        ("option", Kind::Text, false),
        ("", Kind::Raw, false),
        ("", Kind::Raw, false),
    ];
    assert_eq!(reads, expected);
    assert!(manifest.writes.is_empty());
}

#[test]
fn a_validators_field_of_another_type_is_a_rejection_with_its_name() {
    let plugin = Loaded::<reading::read>::configure("{}").unwrap();
    let wrong = FULL.replace("-7", "1.5");
    let verdicts = plugin.validate_json(&[wrong.as_str()]);
    let Rejection { code, reason } = verdicts[0].rejection().unwrap();
    assert_eq!((&**code, &**reason), ("wrong_type", "the field `a.b\\.c` is not an integer"));
}

/// An enricher with every way to write a field.
mod writing {
    use super::*;

    #[derive(Fields)]
    pub(crate) struct Log<'a> {
        name: &'a str,
        n: Option<i64>,
    }

    #[derive(Output)]
    pub(crate) struct Out<'a> {
        name: &'a str,
        owned: String,
        constant: &'static str,
        #[field(path = "deep.integer")]
        integer: Option<i64>,
        float: f64,
        boolean: bool,
        json: Json<'a>,
        at: Timestamp,
        write: Write<i64>,
        #[field(dynamic)]
        cells: &'a [Cell],
    }

    pub(crate) struct Row(Vec<Cell>);

    #[derive(Config)]
    pub(crate) struct Empty {}

    impl wasmill_sdk::Prepare for Row {
        type Config = Empty;
        fn prepare(_: Empty) -> Result<Self, String> {
            Ok(Row(vec![Cell::Text("cell".into()), Cell::Keep, Cell::Float(0.5)]))
        }
        fn writes(&self) -> Vec<wasmill_sdk::Field> {
            let kinds = [("c1", Kind::Text), ("c2", Kind::Json), ("c3", Kind::Float)];
            kinds.map(|(path, kind)| wasmill_sdk::Field::new(path, kind)).into()
        }
    }

    #[wasmill_sdk::enricher]
    pub(crate) fn write<'a>(log: Log<'a>, row: &'a Row) -> Option<Out<'a>> {
        let n = log.n?;
        Some(Out {
            name: log.name,
            owned: format!("{n}!"),
            constant: "c",
            integer: (n > 0).then_some(n),
            float: 1.5,
            boolean: true,
            json: Json("[1]"),
            at: Timestamp { ns: 0 },
            write: if n > 0 { Write::Value(n) } else { Write::Null },
            cells: &row.0,
        })
    }
}

#[test]
fn every_type_of_output_is_written_and_events_that_do_not_fit_are_left_alone() {
    let plugin = Loaded::<writing::write>::configure("{}").unwrap();
    let events = [r#"{"name":"x","n":1}"#, r#"{"name":"y","n":0}"#, r#"{"name":"z"}"#, r#"{"name":3,"n":1}"#, "{}"];
    let written = plugin.enrich_json(&events);
    let full = json!({ "name": "x", "owned": "1!", "constant": "c", "deep.integer": 1, "float": 1.5, "boolean": true,
        "json": [1], "at": "1970-01-01T00:00:00Z", "write": 1, "c1": "cell", "c3": 0.5 });
    assert_eq!(json!(written[0]), full);
    assert_eq!(written[1]["write"], json!(null));
    assert!(!written[1].contains_key("deep.integer"));
    assert!(written[2..].iter().all(|written| written.is_empty()));
    assert!(plugin.manifest().reads.iter().all(|field| !field.required));
}

/// An alerter.
mod raising {
    use super::*;

    #[derive(Fields)]
    pub(crate) struct Log {
        n: i64,
    }

    #[wasmill_sdk::alerter]
    pub(crate) fn raise(log: Log) -> impl Iterator<Item = Alert> {
        (0..log.n).map(|n| Alert::new("rule", n.to_string(), Severity::Error, "s").label("a", "b"))
    }
}

#[test]
fn alerts_carry_the_number_of_their_event() {
    let plugin = Loaded::<raising::raise>::configure("{}").unwrap();
    let alerts = plugin.evaluate_json(&[r#"{"n":0}"#, r#"{"n":2}"#, "{}", r#"{"n":1}"#]);
    let numbers: Vec<_> = alerts.iter().map(|(event, alert)| (*event, alert.key.as_str())).collect();
    assert_eq!(numbers, [(1, "0"), (1, "1"), (3, "0")]);
    assert_eq!(alerts[0].1.labels, [("a".to_owned(), "b".to_owned())]);
}

/// A validator whose fields the config names.
mod dynamic {
    use super::*;

    #[derive(Fields)]
    pub(crate) struct Log<'a> {
        first: Option<i64>,
        #[field(dynamic)]
        slots: Slots<'a>,
    }

    #[derive(Config)]
    pub(crate) struct Names {
        fields: Vec<String>,
    }

    pub(crate) struct Named(Vec<wasmill_sdk::Field>);

    impl wasmill_sdk::Prepare for Named {
        type Config = Names;
        fn prepare(names: Names) -> Result<Self, String> {
            let kinds = [Kind::Text, Kind::Integer, Kind::Float, Kind::Boolean, Kind::Json, Kind::Raw];
            let field = |(name, kind): (&String, Kind)| wasmill_sdk::Field::new(name.clone(), kind);
            Ok(Named(names.fields.iter().zip(kinds).map(field).collect()))
        }
        fn reads(&self) -> Vec<wasmill_sdk::Field> {
            self.0.clone()
        }
    }

    #[wasmill_sdk::validator]
    pub(crate) fn name(log: Log<'_>, named: &Named) -> Result<(), Rejection> {
        assert_eq!(log.slots.len(), named.0.len());
        let slots = log.slots;
        let states: Vec<State> = (0..slots.len()).map(|field| slots.state(field)).collect();
        let values = (slots.text(0), slots.integer(1), slots.float(2), slots.boolean(3), slots.json(4));
        let raw_length = slots.raw(5).map(str::len);
        Err(Rejection::new("named", format!("{:?} {values:?} {raw_length:?} {states:?}", log.first)))
    }
}

#[test]
fn fields_that_the_config_names_are_read_by_number() {
    let plugin = Loaded::<dynamic::name>::configure(r#"{"fields":["t","i","f","b","j",""]}"#).unwrap();
    let verdicts =
        plugin.validate_json(&[r#"{"first":1,"t":"x","i":2,"f":3,"b":false,"j":{}}"#, r#"{"t":null,"i":"x","b":1}"#]);
    let reason = |event: usize| &*verdicts[event].rejection().unwrap().reason;
    assert_eq!(
        reason(0),
        "Some(1) (Some(\"x\"), Some(2), Some(3.0), Some(false), Some(\"{}\")) Some(48) [Present, Present, Present, Present, Present, Present]"
    );
    assert_eq!(
        reason(1),
        "None (None, None, None, None, None) Some(24) [Null, OtherType, Absent, OtherType, Absent, Present]"
    );
    let wrong = Loaded::<dynamic::name>::configure(r#"{"fields":["a\\b"]}"#).unwrap_err();
    assert!(wrong.contains("the path `a\\b` has a backslash"), "{wrong}");
}

#[test]
#[should_panic(expected = "field 0 was declared as text, and is read as an integer")]
fn a_getter_of_another_kind_is_a_mistake_of_the_plugin() {
    mod wrong {
        use super::*;

        #[derive(Fields)]
        pub(crate) struct Log<'a> {
            #[field(dynamic)]
            slots: Slots<'a>,
        }

        #[wasmill_sdk::validator]
        pub(crate) fn wrong(log: Log<'_>, _: &dynamic::Named) -> Result<(), Rejection> {
            log.slots.integer(0).map(drop).ok_or_else(|| Rejection::new("none", ""))
        }
    }
    Loaded::<wrong::wrong>::configure(r#"{"fields":["t"]}"#).unwrap().validate_json(&[r#"{"t":"x"}"#]);
}

/// The lists of a batch of one event with one text field.
fn lists(slot: u64) -> Lists {
    Lists { text: b"a\xffb".to_vec(), slots: vec![slot], states: Vec::new(), times: vec![0] }
}

#[test]
fn a_native_batch_is_checked_slot_by_slot() {
    let of = |slot| Batch::new(vec![Kind::Text], lists(slot)).map(|batch| batch.events());
    assert_eq!(of(1), Ok(1));
    assert_eq!(of(3 << 32), Ok(1));
    for (slot, why) in [
        (4 << 32, "out of range"),
        (3 << 32 | 1, "out of range"),
        (u64::MAX, "out of range"),
        (1 << 32 | 1, "not UTF-8"),
    ] {
        assert!(of(slot).is_err_and(|error| error.contains(why)), "{slot:x}");
    }
    assert!(Batch::new(vec![Kind::Text], Lists { states: vec![0], ..lists(u64::MAX) }).is_ok(), "it is absent");
    assert!(Batch::new(vec![Kind::Text; 2], lists(1)).is_err(), "a slot is missing");
    let slots = vec![1; 33];
    let few_states = Lists { slots, states: vec![0], times: vec![0; 33], ..lists(1) };
    assert!(Batch::new(vec![Kind::Text], few_states).is_err());
}

#[test]
#[should_panic(expected = "not the ones in the plugin's manifest")]
fn a_batch_of_other_fields_is_refused() {
    let plugin = Loaded::<raising::raise>::configure("{}").unwrap();
    plugin.evaluate(&Batch::new(vec![Kind::Text], lists(1)).unwrap());
}

#[test]
fn an_empty_batch_has_empty_answers() {
    fn kinds<V: Validator, E: Enricher>() -> (usize, usize) {
        let none: [Event<'_>; 0] = [];
        let (validator, enricher) = (Loaded::<V>::configure("{}").unwrap(), Loaded::<E>::configure("{}").unwrap());
        (validator.validate_json(&none).len(), enricher.enrich(&enricher.batch(&none)).slots.len())
    }
    assert_eq!(kinds::<reading::read, writing::write>(), (0, 0));
}

/// Names of addresses, of a field of the struct and of one that the config names.
mod naming {
    use super::*;

    pub(crate) struct Other;

    impl wasmill_sdk::Prepare for Other {
        type Config = Nothing;

        fn prepare(_: Nothing) -> Result<Self, String> {
            Ok(Other)
        }

        fn reads(&self) -> Vec<wasmill_sdk::Field> {
            vec![wasmill_sdk::Field::reverse_dns("to.ip"), wasmill_sdk::Field::new("to.ip", Kind::Text)]
        }
    }

    #[derive(Config)]
    pub(crate) struct Nothing {}

    #[derive(Fields)]
    pub(crate) struct Log<'a> {
        #[field(reverse_dns = "from.ip")]
        from: Option<&'a str>,
        #[field(dynamic)]
        slots: Slots<'a>,
    }

    #[wasmill_sdk::validator]
    pub(crate) fn name(log: Log<'_>, _: &Other) -> Result<(), Rejection> {
        Err(Rejection::new("named", format!("{:?} {:?} {:?}", log.from, log.slots.text(0), log.slots.text(1))))
    }
}

#[test]
fn names_of_addresses_are_columns_beside_the_addresses_themselves() {
    let plugin = Loaded::<naming::name>::configure("{}").unwrap();
    let lookups: Vec<_> = plugin.manifest().reads.iter().map(|field| (&*field.path, field.lookup)).collect();
    let reverse_dns = Some(wasmill_sdk::Lookup::ReverseDns);
    assert_eq!(lookups, [("from.ip", reverse_dns), ("to.ip", reverse_dns), ("to.ip", None)]);
    let event = r#"{"from":{"ip":"192.0.2.1"},"to":{"ip":"192.0.2.2"}}"#;
    let named = Event::from(event).with_names(&[("192.0.2.1", "one.example")]);
    let verdicts = plugin.validate_json(&[named]);
    assert_eq!(verdicts[0].rejection().unwrap().reason, r#"Some("one.example") None Some("192.0.2.2")"#);
}

/// Fields of types that not every text fits.
mod fitting {
    use super::*;

    #[derive(Fields)]
    pub(crate) struct Typed<'a> {
        ip: IpAddr,
        gateway: Option<Ipv4Addr>,
        at: Slot<Timestamp>,
        name: &'a [u8],
    }

    #[wasmill_sdk::validator]
    pub(crate) fn typed(typed: Typed<'_>) -> Verdict {
        let at = match typed.at {
            Slot::Present(at) => at.ns.to_string(),
            other => format!("{other:?}"),
        };
        Verdict::reject("read", format!("{} {:?} {at} {:?}", typed.ip, typed.gateway, typed.name))
    }
}

#[test]
fn addresses_times_and_bytes_are_read_from_texts_and_what_is_none_of_them_does_not_fit() {
    let plugin = Loaded::<fitting::typed>::configure("{}").unwrap();
    let read = |event: &str| {
        let verdicts = plugin.validate_json(&[event]);
        let rejection = verdicts[0].rejection().unwrap();
        (rejection.code.to_string(), rejection.reason.to_string())
    };
    let whole = r#"{"ip":"2001:db8::1","gateway":"10.0.0.1","at":"1970-01-01T00:00:01+00:00","name":"é"}"#;
    assert_eq!(read(whole), ("read".into(), "2001:db8::1 Some(10.0.0.1) 1000000000 [195, 169]".into()));
    let odd = r#"{"ip":"1.2.3.4","gateway":"2001:db8::1","at":"yesterday","name":""}"#;
    assert_eq!(read(odd), ("read".into(), "1.2.3.4 None OtherType []".into()));
    let wrong = r#"{"ip":"1.2.3.4:80","name":"a"}"#;
    assert_eq!(read(wrong), ("wrong_type".into(), "the field `ip` is not an IP address".into()));
}
