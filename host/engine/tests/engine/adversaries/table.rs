//! Every adversary: what it does, when, and what comes of it. `tests/guests/rogue`, `adversary` and `counter` do it by the word in
//! their configuration or event; what no compiler makes is crafted.

use super::crafted::{Core, composed, functions, labyrinth, padded};

/// One adversary.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) guest: Guest,
    pub(crate) moment: Moment,
    pub(crate) outcome: Outcome,
}

/// Who does it.
pub(crate) enum Guest {
    /// A package of `tests/guests`.
    Built(&'static str),
    /// A component of its own, and the seconds that it may take to compile.
    Crafted(fn() -> Vec<u8>, u64),
}

/// When it does it.
#[derive(Clone, Copy)]
pub(crate) enum Moment {
    /// As soon as it is loaded.
    Load,
    /// In `configure`, by this deed; with these further settings.
    Configure(&'static str, &'static [(&'static str, bool)]),
    /// With a batch of three events, of which the second has this deed.
    Call(&'static str),
}

/// What comes of it.
#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    /// It is not loaded, for a reason in which these words are.
    Refused(&'static str),
    /// It is not loaded, or it is and does no harm: that depends on the machine's speed, and either is bounded.
    RefusedOrHarmless(&'static str),
    /// The event is a dead letter with this code and words of its reason; the others come through.
    Rejected(&'static str, &'static str),
    /// All events of its batch are, each with this code and words of its reason.
    RejectedAll(&'static str, &'static str),
    /// The event is dropped; the others come through.
    Dropped,
    /// All events come through.
    Harmless,
    /// They do, and so many lines are logged and so many left out.
    Logged(u64, u64),
    /// They do, and keys of the state had to go.
    Evicted,
    /// They do, though it could not be pre-initialised, for a reason in which these words are.
    Slower(&'static str),
}

use Moment::{Call, Configure, Load};
use Outcome::{Dropped, Evicted, Harmless, Logged, Refused, RefusedOrHarmless, Rejected, RejectedAll, Slower};

/// The seconds that a crafted component may take to compile, as by default.
const USUAL: u64 = 60;

const fn rogue(name: &'static str, deed: &'static str, outcome: Outcome) -> Row {
    Row { name, guest: Guest::Built("rogue"), moment: Call(deed), outcome }
}

const fn adversary(name: &'static str, deed: &'static str, outcome: Outcome) -> Row {
    Row { name, guest: Guest::Built("adversary"), moment: Call(deed), outcome }
}

const fn counter(name: &'static str, deed: &'static str, outcome: Outcome) -> Row {
    Row { name, guest: Guest::Built("counter"), moment: Call(deed), outcome }
}

const fn configured(guest: &'static str, name: &'static str, deed: &'static str, outcome: Outcome) -> Row {
    Row { name, guest: Guest::Built(guest), moment: Configure(deed, &[]), outcome }
}

const fn crafted(name: &'static str, make: fn() -> Vec<u8>, outcome: Outcome) -> Row {
    Row { name, guest: Guest::Crafted(make, USUAL), moment: Load, outcome }
}

const fn crafted_call(name: &'static str, make: fn() -> Vec<u8>, outcome: Outcome) -> Row {
    Row { name, guest: Guest::Crafted(make, USUAL), moment: Call(""), outcome }
}

/// All of them, by what they attack.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    [TIME, MEMORY, ENDINGS, VERDICTS, WRITTEN, ALERTS, OUTSIDE, STATE, MANIFESTS, COMPONENTS].into_iter().flatten()
}

const TIME: &[Row] = &[
    rogue("infinite loop", "v:loop", Rejected("fuel", "burned all its fuel")),
    rogue("infinite loop of an enricher", "e:loop", Rejected("fuel", "burned all its fuel")),
    rogue("infinite loop of an alerter", "a:loop", Rejected("fuel", "burned all its fuel")),
    rogue("more work than there is fuel for", "v:burn:100000000", Rejected("fuel", "")),
    rogue(
        "loop that lives in calls of the host",
        "v:log_loop:1000000",
        Rejected("fuel", "more than its fuel is worth"),
    ),
    rogue("loop that sleeps", "v:sleep_loop", Rejected("fuel", "")),
    rogue("sleep of an hour", "v:sleep", Harmless),
    adversary("infinite loop, again", "loop", Rejected("fuel", "burned all its fuel")),
    adversary("sleep of an hour, again", "sleep", Harmless),
    configured("rogue", "configure that loops", "loop", Refused("its configure failed (fuel)")),
    configured("rogue", "configure that logs for ever", "log_loop:1000", Refused("its configure failed (fuel)")),
    configured("rogue", "configure that sleeps for ever", "sleep_loop", Refused("its configure failed (fuel)")),
    crafted(
        "start function that loops",
        || Core { items: "(func $start (loop br 0)) (start $start)", ..Core::default() }.component(),
        Refused("(fuel)"),
    ),
    crafted_call(
        "allocation that loops",
        || Core { realloc: "(loop br 0) unreachable", ..Core::default() }.component(),
        Refused("(fuel)"),
    ),
];

const MEMORY: &[Row] = &[
    rogue("memory bomb, slow", "v:memory", Rejected("memory", "needs more than")),
    rogue("memory up to the limit", "v:memory:3", Harmless),
    adversary("memory bomb by pages", "memory", Rejected("memory", "needs more than")),
    adversary("memory bomb at once", "memory_pages:2000", Rejected("memory", "needs more than")),
    configured("rogue", "memory bomb in configure", "memory", Refused("its configure failed (memory)")),
    crafted(
        "memory bomb at the start",
        || Core { memory: r#"(memory (export "memory") 65536)"#, ..Core::default() }.component(),
        Refused("(memory)"),
    ),
    crafted(
        "memory of 64 bits",
        || Core { items: "(memory $wide i64 1)", ..Core::default() }.component(),
        Refused("it is no valid component"),
    ),
    crafted(
        "more memories than one may have",
        || Core { items: &"(memory 1)".repeat(40), ..Core::default() }.component(),
        Refused("memor"),
    ),
    crafted(
        "table bomb at the start",
        || Core { items: "(table 10000000 funcref)", ..Core::default() }.component(),
        Refused("(memory)"),
    ),
    crafted_call(
        "table that grows",
        || {
            let grow =
                "(loop (br_if 0 (i32.ne (i32.const -1) (table.grow $t (ref.null func) (i32.const 1000))))) unreachable";
            Core { items: "(table $t 1 funcref)", validate: grow, ..Core::default() }.component()
        },
        Refused("table elements"),
    ),
    rogue("deep recursion", "v:stack", Rejected("trap", "stack")),
    adversary("deep recursion, again", "stack", Rejected("trap", "stack")),
    adversary("overflow of its own stack", "shadow_stack", Rejected("trap", "")),
];

const ENDINGS: &[Row] = &[
    rogue("unreachable", "v:trap", Rejected("trap", "unreachable")),
    rogue("unreachable in an enricher", "e:trap", Rejected("trap", "unreachable")),
    rogue("unreachable in an alerter", "a:trap", Rejected("trap", "unreachable")),
    rogue("abort", "v:abort", Rejected("trap", "")),
    rogue("panic", "v:panic:pears", Rejected("trap", "a panic about pears")),
    rogue("panic with a message of 1 MB", "v:long_panic:1000000", Rejected("trap", "ppp")),
    rogue("exit with a failure", "v:exit", Rejected("trap", "called exit(1)")),
    adversary("exit with success", "exit:0", Rejected("trap", "called exit(0)")),
    adversary("panic that it logs", "trap:apples", Rejected("trap", "the adversary traps: apples")),
    configured("rogue", "unreachable in configure", "trap", Refused("its configure failed (trap)")),
    configured("rogue", "exit in configure", "exit", Refused("its configure failed (trap)")),
    configured("adversary", "panic in configure", "trap:figs", Refused("the adversary traps: figs")),
    crafted(
        "start function that traps",
        || Core { items: "(func $start unreachable) (start $start)", ..Core::default() }.component(),
        Refused("(trap)"),
    ),
];

const VERDICTS: &[Row] = &[
    rogue("rejection, as it should be", "v:reject:too old", Rejected("refused", "too old")),
    rogue("drop, as it should be", "v:drop", Dropped),
    rogue("action that there is not", "v:action:3", Rejected("bad_answer", "gives the action 3")),
    rogue("fewer actions than events", "v:few_actions", Rejected("bad_answer", "actions for")),
    rogue("more actions than events", "v:many_actions", Rejected("bad_answer", "actions for")),
    adversary("no actions at all", "no_actions", Rejected("bad_answer", "gives 0 actions")),
    rogue("reason without a rejection", "v:entry_without_action", Rejected("bad_answer", "does not reject")),
    rogue("rejection without a reason", "v:action:2", Rejected("bad_answer", "without an entry")),
    rogue("duplicate verdict", "v:entry_twice", Rejected("bad_answer", "has rejected already")),
    rogue("event index out of range", "v:entry_far", Rejected("bad_answer", "without an entry")),
    rogue("verdict about another event", "v:entry_of_another", Rejected("bad_answer", "without an entry")),
    adversary("unsorted verdicts", "unordered", Rejected("bad_answer", "")),
    adversary("rejection of all events", "reject_all:10", RejectedAll("all", "rrr")),
    rogue("code in capital letters", "v:reject_code:Upper", Rejected("bad_answer", "gives the code")),
    adversary("code of 1000 letters", "code:1000", Rejected("bad_answer", "gives the code")),
    rogue("reason of 100 kB", "v:reject_long:100000", Rejected("refused", "…")),
    adversary("reason that no answer may hold", "reason:2000000", Rejected("output_too_large", "")),
    adversary("reason with controls and escapes", "control", Rejected("control", "a\u{fffd}b\u{fffd}c\u{fffd}[31m")),
    rogue("reason that is not UTF-8", "v:reject_bad_utf8", Rejected("bad_answer", "cannot be read")),
    rogue("answer made of bytes", "v:parrot:02000001ff0161017a", Rejected("bad_answer", "actions for")),
    crafted_call(
        "list outside of its memory",
        || {
            Core { validate: "i32.const 1100 i32.const 262140 i32.store i32.const 1104 i32.const 99 i32.store i32.const 1100", ..Core::default() }.component()
        },
        Refused("cannot be read"),
    ),
    crafted_call(
        "list of four billion elements",
        || Core { validate: "i32.const 1104 i32.const -1 i32.store i32.const 1100", ..Core::default() }.component(),
        Refused("cannot be read"),
    ),
    crafted_call(
        "answer at a crooked address",
        || Core { validate: "i32.const 1101", ..Core::default() }.component(),
        Refused("cannot be read"),
    ),
    crafted_call(
        "answer outside of its memory",
        || Core { validate: "i32.const -8", ..Core::default() }.component(),
        Refused("cannot be read"),
    ),
    crafted_call(
        "allocation outside of its memory",
        || Core { realloc: "i32.const -16", ..Core::default() }.component(),
        Refused("its configure failed (bad_answer)"),
    ),
];

const WRITTEN: &[Row] = &[
    rogue("slot beyond the arena", "e:far_slot", Rejected("bad_answer", "out.text")),
    rogue("slot at a negative offset", "e:negative_slot", Rejected("bad_answer", "out.text")),
    rogue("slot of a negative length", "e:negative_length", Rejected("bad_answer", "out.text")),
    rogue("slots that overlap", "e:shared_slot", Harmless),
    rogue("slot that splits a character", "e:split_character", Rejected("bad_answer", "is not UTF-8")),
    rogue("text that is not UTF-8", "e:bad_utf8", Rejected("bad_answer", "is not UTF-8")),
    rogue("state that there is not", "e:state3", Rejected("bad_answer", "state 3")),
    rogue("more slots than it says", "e:many_slots", Rejected("bad_answer", "slots")),
    rogue("fewer slots than it says", "e:few_slots", Rejected("bad_answer", "slots")),
    rogue("value of 100 kB", "e:long:100000", Rejected("output_too_large", "out.text")),
    rogue("value that no answer may hold", "e:long:2000000", Rejected("output_too_large", "")),
    rogue("minus zero, which JSON has", "e:float", Harmless),
    rogue("no number", "e:nan", Rejected("bad_answer", "is not a finite float")),
    rogue("infinity", "e:infinity", Rejected("bad_answer", "is not a finite float")),
    rogue("minus infinity", "e:minus_infinity", Rejected("bad_answer", "is not a finite float")),
    rogue("JSON, as it should be", "e:json", Harmless),
    rogue("JSON that is none", "e:no_json", Rejected("bad_answer", "is not a JSON value")),
    rogue("JSON and more", "e:two_json", Rejected("bad_answer", "is not a JSON value")),
    rogue("JSON that nests 5000 deep", "e:deep_json", Rejected("bad_answer", "is not a JSON value")),
    rogue("boolean, as it should be", "e:flag", Harmless),
    rogue("boolean of seven", "e:flag_of_seven", Rejected("bad_answer", "is a boolean of 7")),
];

const ALERTS: &[Row] = &[
    rogue("alert about no event", "a:far", Rejected("bad_answer", "which is none")),
    rogue("alerts out of order", "a:backwards", Rejected("bad_answer", "out of order")),
    rogue("alert raised twice", "a:twice", Rejected("bad_answer", "twice")),
    rogue("alert without a rule", "a:no_rule", Rejected("bad_answer", "without a rule")),
    rogue("more alerts than an event may raise", "a:many:17", Rejected("output_too_large", "more than 16 alerts")),
    rogue("list of 6000 alerts", "a:many:6000", Rejected("output_too_large", "")),
    rogue("more labels than an alert may have", "a:labels:17", Rejected("output_too_large", "more than 16 labels")),
    rogue("key of 100 kB", "a:long_key:100000", Rejected("output_too_large", "key")),
    rogue("rule and key with controls and escapes", "a:controls", Harmless),
];

const OUTSIDE: &[Row] = &[
    rogue("files, environment, arguments and stdin", "v:outside", Harmless),
    adversary("the same, told", "outside", Rejected("saw", "0 variables, 0 arguments, no files, no input")),
    rogue("clock", "v:clock", Harmless),
    adversary("clock around a sleep, told", "clock", Rejected("saw", "0 then 0")),
    adversary("random order", "random", Rejected("saw", "")),
    rogue("random order, and memory of configure", "v:remembers", Rejected("remembered", "")),
    adversary("memory of other batches", "calls", Rejected("saw", "1")),
    rogue("addresses and memory that was freed", "v:addresses", Rejected("saw", "0x")),
    crafted(
        "sockets",
        || {
            let connect = r#"(import "wasi:sockets/tcp@0.2.3" "connect" (func))"#;
            Core { world: "sockets", imports: connect, ..Core::default() }.component()
        },
        Refused("it imports \"wasi:sockets/tcp@0.2.3\", which is not granted"),
    ),
    rogue("log flood", "v:log:1000", Logged(5, 995)),
    rogue("log line with escapes", "v:long_log:100", Logged(1, 0)),
    rogue("log line of 2 MB", "v:long_log:1000000", Rejected("output_too_large", "")),
    rogue("flood of standard output", "v:print:1000", Logged(5, 995)),
    adversary("log flood, again", "log_flood:1000", Logged(5, 995)),
    adversary("log line of 90 kB", "log_huge:90000", Logged(1, 0)),
    adversary("flood of standard output, again", "stdout_flood:1000", Logged(5, 995)),
    adversary("flood of standard error", "stderr_flood:1000", Logged(5, 995)),
    counter("printed text without an end", "print", Logged(1, 0)),
];

const STATE: &[Row] = &[
    counter("state, as it should be", "look", Harmless),
    counter("state that goes", "remove", Harmless),
    counter("trap after it stored", "trap", Rejected("trap", "as the event says")),
    counter("value of 70 kB", ":70000", Rejected("output_too_large", "limits.state_value_bytes")),
    counter("state flood", "flood:300", Evicted),
    adversary(
        "state without a manifest that says so",
        "state:c",
        Rejected("bad_answer", "which its manifest does not say"),
    ),
    counter("look-up flood", "flood:200000", Rejected("fuel", "")),
];

const MANIFESTS: &[Row] = &[
    configured("rogue", "error of two lines", "refuse", Refused("it refuses its configuration: the\n  setting \"x\"")),
    configured("adversary", "error", "error", Refused("it refuses its configuration")),
    configured(
        "adversary",
        "error of 100 000 lines with escapes",
        "error:500000",
        Refused("it refuses its configuration"),
    ),
    configured("adversary", "ten thousand fields", "fields:10000", Refused("it reads 10000 fields; at most 256")),
    configured("adversary", "path that is none", "path:a..b", Refused("its manifest is wrong")),
    configured("adversary", "path of 2 kB", "path_length:2000", Refused("its manifest is wrong")),
    configured("adversary", "name that is none", "name:a b", Refused("its name is \"a b\"")),
    configured("adversary", "name of 2 kB", "name_length:2000", Refused("its name is")),
    configured("adversary", "payload with a path", "raw_path", Refused("is of kind raw, which has an empty path")),
    configured("adversary", "validator that writes", "writes", Refused("only an enricher may write fields")),
    configured("adversary", "one field twice", "twice", Harmless),
    Row {
        name: "look-up without the grant",
        guest: Guest::Built("rogue"),
        moment: Configure("", &[("looks_up", true)]),
        outcome: Refused("it asks for \"reverse-dns\", which it is not granted; write `grants: [reverse-dns]`"),
    },
    configured("rogue", "stream that stays open", "print", Slower("stream open")),
];

const COMPONENTS: &[Row] = &[
    crafted_call("decent component", || Core::default().component(), Harmless),
    crafted(
        "import of another version",
        || {
            let log = r#"(import "wasmill:plugin/log@0.2.0" "log" (func))"#;
            Core { world: "newer-log", imports: log, ..Core::default() }.component()
        },
        Refused("it is made for wasmill:plugin@0.2.0"),
    ),
    crafted(
        "no kind",
        || Core { world: "no-kind", ..Core::default() }.component(),
        Refused("exports no wasmill plugin"),
    ),
    crafted(
        "no configure",
        || Core { world: "no-configure", ..Core::default() }.component(),
        Refused("exports no wasmill plugin"),
    ),
    crafted("component of 60 MB", || padded(60_000_000), Refused("limits.component_bytes is 16777216")),
    crafted_call("component of 15 MB that means nothing", || padded(15_000_000), Harmless),
    Row {
        name: "100 000 functions",
        guest: Guest::Crafted(|| functions(100_000), USUAL),
        moment: Call(""),
        outcome: RefusedOrHarmless("compil"),
    },
    Row {
        name: "component that compiles for minutes",
        guest: Guest::Crafted(|| labyrinth(20, 4_000), 1),
        moment: Load,
        outcome: Refused("compiling it took longer than 1 s"),
    },
    crafted_call("component with another one inside", composed, Slower("nested components")),
    crafted_call(
        "initialisation as in C, which traps when it is called twice",
        || {
            let items = r#"(global $began (mut i32) (i32.const 0))
                (func (export "_initialize")
                    global.get $began if unreachable end i32.const 1 global.set $began)"#;
            Core { items, ..Core::default() }.component()
        },
        Harmless,
    ),
];
