//! `wasmill dlq list`: the newest letters, or how many there are of each kind.

use wasmill_core::PluginRef;
use wasmill_expr::time::format_rfc3339;

use super::json;
use super::letters;
use crate::cli::{ListArgs, Output};
use crate::commands::{Exit, print, say};
use crate::letters::{Letter, LetterFilter, LetterGroup, LetterState, Page, Rejected};
use crate::store::Store;
use crate::terminal::{aligned, all_visible};

/// Letters read at a time.
const PAGE: i64 = 100;
/// Characters of a reason in a table.
const REASON_MAX: usize = 100;

pub(super) async fn run(args: &ListArgs) -> anyhow::Result<Exit> {
    let store = match letters(&args.place).await {
        Ok(store) => store,
        Err(exit) => return Ok(exit),
    };
    let filter = args.filter.filter(&[LetterState::Waiting, LetterState::Parked]);
    if args.summary { summary(&store, &filter, args.format).await } else { list(&store, &filter, args).await }
}

async fn list(store: &Store, filter: &LetterFilter, args: &ListArgs) -> anyhow::Result<Exit> {
    let mut rows = vec![heads(&["id", "rejected at", "origin", "stage", "by", "code", "tries", "state", "reason"])];
    let (mut left, mut before) = (args.limit, i64::MAX);
    while left > 0 {
        let page = Page { after: 0, before, is_newest_first: true, limit: left.min(PAGE) };
        let found = store.letters(filter, page).await?;
        let Some(last) = found.last() else { break };
        (before, left) = (last.stored.id, left - found.len() as i64);
        for letter in &found {
            match args.format {
                Output::Json => print(&format!("{}\n", json::listed(letter))),
                Output::Text => rows.push(row(letter)),
            }
        }
    }
    if args.format == Output::Text {
        if rows.len() == 1 {
            print("there are no such dead letters\n");
            return Ok(Exit::success());
        }
        print(&aligned(&rows));
        let next = Page { after: 0, before, is_newest_first: true, limit: 1 };
        if left == 0 && !store.letters(filter, next).await?.is_empty() {
            say("there are more: --limit prints more of them, --summary counts all\n");
        }
    }
    Ok(Exit::success())
}

async fn summary(store: &Store, filter: &LetterFilter, format: Output) -> anyhow::Result<Exit> {
    let groups = store.letter_groups(filter).await?;
    if format == Output::Json {
        groups.iter().for_each(|group| print(&format!("{}\n", json::group(group))));
        return Ok(Exit::success());
    }
    if groups.is_empty() {
        print("there are no such dead letters\n");
        return Ok(Exit::success());
    }
    let mut rows = vec![heads(&["letters", "state", "stage", "by", "code", "oldest", "newest"])];
    rows.extend(groups.iter().map(group_row));
    print(&aligned(&rows));
    Ok(Exit::success())
}

fn heads(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn row(letter: &Letter) -> Vec<String> {
    let stored = &letter.stored;
    let Rejected { stage, plugin, code, reason } = letter.rejected();
    let short: String = reason.chars().take(REASON_MAX).collect();
    let end = if short.len() < reason.len() { "…" } else { "" };
    let sink = letter.sink().map(|sink| &**sink);
    vec![
        stored.id.to_string(),
        second(stored.rejected_at_us),
        all_visible(&format!("{}[{}]@{}", stored.partition.topic, stored.partition.partition, stored.letter.offset)),
        stage_name(stage),
        by(plugin.as_deref(), sink),
        all_visible(&code),
        letter.standing.attempts.to_string(),
        letter.standing.state.as_str().to_owned(),
        format!("{}{end}", all_visible(&short)),
    ]
}

fn group_row(group: &LetterGroup) -> Vec<String> {
    vec![
        group.letters.to_string(),
        group.state.as_str().to_owned(),
        stage_name(group.stage),
        by(group.plugin.as_deref(), group.sink.as_deref()),
        all_visible(&group.code),
        second(group.oldest_us),
        second(group.newest_us),
    ]
}

/// The second of a time in microseconds since 1970.
fn second(us: i64) -> String {
    format_rfc3339(us.div_euclid(1_000_000).saturating_mul(1_000_000_000)).as_str().to_owned()
}

/// The name of a stage.
pub(super) fn stage_name(stage: wasmill_core::Stage) -> String {
    serde_json::json!(stage).as_str().unwrap_or_default().to_owned()
}

/// Who rejected: a plugin with the first digits of its digest, a sink, or the host.
pub(super) fn by(plugin: Option<&PluginRef>, sink: Option<&str>) -> String {
    match (plugin, sink) {
        (Some(PluginRef { name, version, digest }), _) => {
            format!("{} {} ({digest:#})", all_visible(name), all_visible(version))
        }
        (None, Some(sink)) => format!("sink {}", all_visible(sink)),
        (None, None) => "host".to_owned(),
    }
}
