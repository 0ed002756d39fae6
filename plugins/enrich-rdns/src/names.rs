//! The config, ready to be applied.

use wasmill_sdk::{Field, Kind, Prepare, Slots, State, Texts};

use crate::config::Config;

/// The prepared config.
pub struct Names {
    /// Where addresses stand and where their names go.
    pairs: Vec<(String, String)>,
    keep_existing: bool,
}

impl Prepare for Names {
    type Config = Config;

    fn prepare(config: Config) -> Result<Self, String> {
        let pairs: Vec<(String, String)> = config.fields.into_iter().collect();
        if pairs.is_empty() {
            return Err("`fields` is empty: name at least one address and where its name goes".into());
        }
        if pairs.len() > Texts::MAX {
            return Err(format!("`fields` are {}, at most {} are allowed", pairs.len(), Texts::MAX));
        }
        for (address, _) in &pairs {
            let takes_its_place =
                |name: &String| name == address || is_inside(name, address) || is_inside(address, name);
            if let Some((_, name)) = pairs.iter().find(|(_, name)| takes_its_place(name)) {
                return Err(format!("a name cannot be written to `{name}`: the address `{address}` is there"));
            }
        }
        Ok(Names { pairs, keep_existing: config.keep_existing })
    }

    fn reads(&self) -> Vec<Field> {
        let names = self.pairs.iter().map(|(address, _)| Field::reverse_dns(address.clone()));
        let existing = self.pairs.iter().map(|(_, name)| Field::new(name.clone(), Kind::Text));
        names.chain(existing.filter(|_| self.keep_existing)).collect()
    }

    fn writes(&self) -> Vec<Field> {
        self.pairs.iter().map(|(_, name)| Field::new(name.clone(), Kind::Text)).collect()
    }
}

impl Names {
    /// What is written to an event.
    #[inline]
    pub(crate) fn of<'a>(&self, slots: Slots<'a>) -> Texts<'a> {
        let mut names = Texts::default();
        for pair in 0..self.pairs.len() {
            let stays = self.keep_existing && has_value(slots.state(self.pairs.len() + pair));
            names.push(if stays { None } else { slots.text(pair) });
        }
        names
    }
}

fn has_value(state: State) -> bool {
    matches!(state, State::Present | State::OtherType)
}

/// Whether `inner` lies below `outer`.
fn is_inside(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
}
