//! Mistakes of authors, each with what the compiler says about it: `ui/*.rs` and `ui/*.stderr`. `TRYBUILD=overwrite` writes the latter anew;
//! look at what `git diff` says then.

#[test]
fn every_mistake_is_told_with_its_remedy() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
