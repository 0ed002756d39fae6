use proptest::prelude::*;

use super::*;

const RECORDS: i32 = 10;

/// What happens to the next batch at the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Handled,
    /// The connection fails: after the batch was handled, or before. What was sent behind it is lost.
    AnswerLost,
    RequestLost,
    Passing,
    Refused,
    /// The broker no longer knows the producer.
    Forgotten,
}

/// A leader, as far as sequence numbers go: an id that it does not know begins at any.
#[derive(Default)]
struct Leader {
    /// By id: the next number, and the last batches' first ones.
    producers: Vec<(i64, i32, VecDeque<i32>)>,
    log: Vec<usize>,
}

impl Leader {
    fn append(&mut self, batch: usize, numbered: Numbered) -> Outcome {
        let id = numbered.producer.id;
        if !self.producers.iter().any(|known| known.0 == id) {
            self.producers.push((id, numbered.sequence, VecDeque::new()));
        }
        let (_, next, last) = self.producers.iter_mut().find(|known| known.0 == id).unwrap();
        if last.contains(&numbered.sequence) {
            return Outcome::Stored;
        }
        if *next != numbered.sequence {
            return Outcome::OutOfOrder;
        }
        *next = after(*next, RECORDS);
        last.push_back(numbered.sequence);
        if last.len() > SENT_MAX {
            last.pop_front();
        }
        self.log.push(batch);
        Outcome::Stored
    }
}

#[derive(Default)]
struct Run {
    window: Window<usize>,
    leader: Leader,
    ids: i64,
    wire: VecDeque<(usize, Numbered)>,
    stored: Vec<usize>,
    refused: Vec<usize>,
    /// Batches that nobody knew about at some time.
    open: Vec<usize>,
}

impl Run {
    fn send(&mut self) {
        if self.window.needs_producer() {
            self.ids += 1;
            self.window.set_producer(ProducerId { id: self.ids, epoch: 0 });
        }
        if let Some((batch, numbered)) = self.window.send() {
            self.wire.push_back((*batch, numbered));
        }
    }

    fn answer(&mut self, fate: Fate) {
        let Some((batch, numbered)) = self.wire.pop_front() else { return };
        let outcome = match fate {
            Fate::Handled => self.leader.append(batch, numbered),
            Fate::AnswerLost => {
                self.leader.append(batch, numbered);
                Outcome::Open
            }
            Fate::RequestLost => Outcome::Open,
            Fate::Passing => Outcome::Passing,
            Fate::Refused => Outcome::Refused(Refusal { code: Code::MESSAGE_TOO_LARGE, records: vec![1] }),
            Fate::Forgotten => {
                self.leader.producers.clear();
                Outcome::Forgotten
            }
        };
        self.settle(batch, numbered, outcome);
        if matches!(fate, Fate::AnswerLost | Fate::RequestLost) {
            for (batch, numbered) in std::mem::take(&mut self.wire) {
                self.settle(batch, numbered, Outcome::Open);
            }
        }
    }

    fn settle(&mut self, batch: usize, numbered: Numbered, outcome: Outcome) {
        if outcome == Outcome::Open {
            self.open.push(batch);
        }
        let (stored, refused) = (&mut self.stored, &mut self.refused);
        self.window.settle(numbered.ticket, outcome, |batch, refusal| match refusal {
            None => stored.push(batch),
            Some(refusal) => {
                assert_eq!((refusal.code, refusal.records), (Code::MESSAGE_TOO_LARGE, vec![1]));
                refused.push(batch);
            }
        });
    }

    /// Lets `fates` befall `batches`, and then nothing more.
    fn through(batches: usize, fates: &[(u8, Fate)]) -> Self {
        let mut run = Self::default();
        (0..batches).for_each(|batch| run.window.push(batch, RECORDS));
        for (sendings, fate) in fates {
            (0..*sendings).for_each(|_| run.send());
            run.answer(*fate);
        }
        for _ in 0..20 * batches {
            run.send();
            run.answer(Fate::Handled);
        }
        assert!(!run.window.is_waiting() && run.wire.is_empty(), "it ends");
        run
    }
}

fn fates(of: &'static [Fate]) -> impl Strategy<Value = Vec<(u8, Fate)>> {
    proptest::collection::vec((0..4_u8, proptest::sample::select(of)), 0..60)
}

proptest! {
    #[test]
    fn whatever_fails_for_a_while_every_batch_is_stored_once_and_in_order(
        batches in 1..30_usize,
        fates in fates(&[Fate::Handled, Fate::Handled, Fate::AnswerLost, Fate::RequestLost, Fate::Passing]),
    ) {
        let run = Run::through(batches, &fates);
        prop_assert_eq!(&run.leader.log, &(0..batches).collect::<Vec<_>>());
        prop_assert_eq!(run.ids, 1);
        let mut stored = run.stored;
        stored.sort_unstable();
        prop_assert_eq!(stored, (0..batches).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_is_lost_by_a_refusal_or_a_broker_that_forgets(
        batches in 1..30_usize,
        fates in fates(&[
            Fate::Handled, Fate::Handled, Fate::AnswerLost, Fate::RequestLost, Fate::Passing, Fate::Refused, Fate::Forgotten,
        ]),
    ) {
        let run = Run::through(batches, &fates);
        for batch in 0..batches {
            let times = run.leader.log.iter().filter(|stored| **stored == batch).count();
            let is_refused = run.refused.contains(&batch);
            prop_assert_eq!(run.stored.contains(&batch), !is_refused);
            // Only where nobody knew can it be there and refused, or twice.
            prop_assert!(run.open.contains(&batch) || times == usize::from(!is_refused), "{batch}: {times}");
            prop_assert!(times > 0 || is_refused, "{batch} is lost");
        }
    }
}

#[test]
fn refused_batches_cost_no_producer_id_while_every_outcome_is_known() {
    let refusals: Vec<_> = (0..10).flat_map(|_| [(1, Fate::Refused), (2, Fate::Handled)]).collect();
    let run = Run::through(30, &refusals);
    assert_eq!((run.refused.len(), run.leader.log.len(), run.ids), (10, 20, 1));
}

#[test]
fn batch_that_may_be_stored_is_not_overtaken_until_the_broker_forgets_it() {
    let behind = (0..10).flat_map(|_| [(4, Fate::Passing), (0, Fate::Handled), (0, Fate::Handled), (0, Fate::Handled)]);
    let fates: Vec<_> = [(1, Fate::Handled), (1, Fate::AnswerLost)].into_iter().chain(behind).collect();
    assert_eq!(Run::through(20, &fates).leader.log, (0..20).collect::<Vec<_>>());
}

#[test]
fn sequence_numbers_wrap_to_zero() {
    assert_eq!([after(i32::MAX, 1), after(i32::MAX - 1, 3), after(5, 7)], [0, 1, 12]);
}

#[test]
fn what_was_never_sent_is_given_back_alone() {
    let mut run = Run::default();
    (0..3).for_each(|batch| run.window.push(batch, RECORDS));
    run.send();
    run.answer(Fate::RequestLost);
    let mut back = Vec::new();
    run.window.give_up_waiting(|batch| back.push(batch));
    assert_eq!(back, [1, 2], "the first may be stored");
    run.send();
    run.answer(Fate::Handled);
    assert_eq!(run.leader.log, [0]);
}
