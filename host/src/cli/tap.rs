//! `wasmill tap`.

use std::path::PathBuf;

use clap::Args;

use super::Output;
use crate::tap::TapRequest;

/// `wasmill tap`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wasmill tap pipeline.yaml\n  \
                        wasmill tap pipeline.yaml --plugin validate-event --rejected\n  \
                        wasmill tap pipeline.yaml --where 'tenant_id == \"acme\"' --limit 20 --format json | jq .changed\n  \
                        wasmill tap --admin 127.0.0.1:9600 --sample 1/1000 --redact email,user.name\n\n\
                        The host takes secrets out (`admin.tap.redact`) before anything is sent, and never waits for who looks on: what is read\n\
                        too slowly is left out, and counted. Exit codes: 0 ended, 1 there is nothing to tap, 2 wrong usage, 78 the file has\n\
                        mistakes.")]
pub struct TapArgs {
    /// The YAML file of the pipeline that runs
    #[arg(required_unless_present = "admin")]
    pub config: Option<PathBuf>,
    /// Where its admin pages are, in place of what the file says: IP:PORT or http://HOST:PORT
    #[arg(long, value_name = "ADDRESS", conflicts_with = "config")]
    pub admin: Option<String>,
    /// Only what this plugin does; may be given more than once
    #[arg(long = "plugin", value_name = "NAME")]
    pub plugins: Vec<String>,
    /// Only events that this expression is true for, as they came from the source
    #[arg(long = "where", value_name = "EXPRESSION")]
    pub condition: Option<String>,
    /// Only rejections, and events that a plugin fails on
    #[arg(long)]
    pub rejected: bool,
    /// One event in so many, by its offset: 1/1000
    #[arg(long, value_name = "1/N", default_value = "1/1", value_parser = sample)]
    pub sample: u64,
    /// Most events in a second
    #[arg(long, value_name = "N/s", default_value = "10/s", value_parser = rate)]
    pub rate: u64,
    /// End after so many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Fields that are not shown, beside those that the host never shows: names, or paths with dots
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    pub redact: Vec<String>,
    /// How events are printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
}

impl TapArgs {
    /// What the host is asked for.
    pub fn request(&self) -> TapRequest {
        TapRequest {
            plugins: self.plugins.clone(),
            condition: self.condition.clone(),
            rejected: self.rejected,
            sample: self.sample,
            rate: self.rate,
            limit: self.limit,
            redact: self.redact.clone(),
        }
    }
}

fn sample(text: &str) -> Result<u64, String> {
    let number = text.strip_prefix("1/").and_then(|number| number.parse().ok());
    number.ok_or_else(|| "write 1/N, such as 1/1000 for one event in a thousand".to_owned())
}

fn rate(text: &str) -> Result<u64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse().ok();
    number.ok_or_else(|| "write a number of events in a second, such as 10/s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_and_rate_are_written_as_they_are_said() {
        assert_eq!((sample("1/1000"), rate("10/s"), rate("7")), (Ok(1000), Ok(10), Ok(7)));
        for text in ["", "1/", "2/3", "1000", "1/-1"] {
            assert!(sample(text).is_err(), "{text}");
        }
        assert!(rate("10/m").is_err() && rate("").is_err());
    }
}
