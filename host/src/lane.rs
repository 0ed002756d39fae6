//! A lane: one partition from source to commit.
