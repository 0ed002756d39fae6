//! `on_duplicate` through the whole program, into SQLite; PostgreSQL's are in `postgres_store`.

use wasmill_tests::pipeline::Pipeline;

const EVENTS: &[u8] = b"{\"id\":\"a\",\"n\":1}\n{\"id\":\"b\",\"n\":1}\n{\"id\":\"a\",\"n\":2}\n";
const MORE: &[u8] = b"{\"id\":\"b\",\"n\":3}\n{\"id\":\"c\",\"n\":3}\n{\"n\":4}\n";

fn run(on_duplicate: &str) -> Vec<Vec<String>> {
    let pipeline = Pipeline::new(&format!(
        "name: duplicates\nsource: {{ stdin: {{}} }}\nsinks: {{ rows: {{ sqlite: {{ path: out.db, table: rows, key: [id], \
         {on_duplicate} columns: {{ id: id, n: {{ from: n, type: bigint }} }} }} }} }}\n"
    ));
    for input in [EVENTS, MORE] {
        let ran = pipeline.run(input);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.assert_sums(&["rows"]);
    }
    pipeline.sqlite("out.db", "SELECT coalesce(id, '-'), n FROM rows ORDER BY 1, 2")
}

#[test]
fn table_that_is_made_with_a_key_refuses_duplicates_and_ignores_or_updates_them_where_it_is_told_to() {
    let rows =
        |ids: &[(&str, &str)]| ids.iter().map(|(id, n)| vec![(*id).to_owned(), (*n).to_owned()]).collect::<Vec<_>>();
    // SQLite takes null for a key of text, as often as it comes.
    assert_eq!(run(""), rows(&[("-", "4"), ("a", "1"), ("b", "1"), ("c", "3")]));
    assert_eq!(run("on_duplicate: ignore,"), rows(&[("-", "4"), ("a", "1"), ("b", "1"), ("c", "3")]));
    assert_eq!(run("on_duplicate: update,"), rows(&[("-", "4"), ("a", "2"), ("b", "3"), ("c", "3")]));
}

#[test]
fn table_that_is_there_without_a_unique_key_is_refused_with_the_index_that_it_needs() {
    let plain = Pipeline::new(
        "name: duplicates\nsource: { stdin: {} }\nsinks: { rows: { sqlite: { path: out.db, table: rows, columns: { id: id } } } }\n",
    );
    assert_eq!(plain.run(EVENTS).code, Some(0));
    let file = plain.path("pipeline.yaml");
    let keyed = std::fs::read_to_string(&file)
        .expect("a file")
        .replace("table: rows,", "table: rows, key: [id], on_duplicate: update,");
    std::fs::write(&file, keyed).expect("a file");
    let refused = plain.run(b"");
    assert_eq!(refused.code, Some(78));
    assert!(refused.stderr.contains("CREATE UNIQUE INDEX \"rows_key\" ON \"rows\" (\"id\")"), "{}", refused.stderr);
}
