//! The 16 samples of Loghub, and what a shipper reads off their lines: when, how bad, by whom.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::moment::{Moment, SECOND_NS};

/// A sample.
pub(super) struct Source {
    /// Its folder: `NAME/NAME_2k.log`.
    pub(super) name: &'static str,
    head: fn(&str) -> Option<Head>,
}

/// What stands at the beginning of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) time: Moment,
    /// `None`: the format has levels, or something like them, that no shipper makes anything of.
    pub(super) level: Option<String>,
    pub(super) service: String,
}

/// A line as it is in its file, without the line feed.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The number of its sample.
    pub(super) source: usize,
    pub(super) bytes: Vec<u8>,
    pub(super) head: Head,
}

/// What plain syslog has no level for.
const USUAL: &str = "INFO";
/// When a file begins whose first line has no time.
const BEGINNING: &str = "00:00:00";

/// Years that the lines do not name are those in which they were collected, more or less.
pub(super) const SOURCES: [Source; 16] = [
    Source { name: "Android", head: android },
    Source { name: "Apache", head: apache },
    Source { name: "BGL", head: blue_gene },
    Source { name: "HDFS", head: hdfs },
    Source { name: "HPC", head: hpc },
    Source { name: "Hadoop", head: hadoop },
    Source { name: "HealthApp", head: health_app },
    Source { name: "Linux", head: |line| syslog(line, 2005) },
    Source { name: "Mac", head: |line| syslog(line, 2017) },
    Source { name: "OpenSSH", head: |line| syslog(line, 2016) },
    Source { name: "OpenStack", head: open_stack },
    Source { name: "Proxifier", head: proxifier },
    Source { name: "Spark", head: spark },
    Source { name: "Thunderbird", head: thunderbird },
    Source { name: "Windows", head: windows },
    Source { name: "Zookeeper", head: zookeeper },
];

/// The lines of a sample.
///
/// # Errors
/// When its file cannot be read, or is none of Loghub's.
pub(super) fn lines(folder: &Path, source: usize) -> Result<Vec<Line>> {
    let Source { name, head } = &SOURCES[source];
    let path = folder.join(name).join(format!("{name}_2k.log"));
    let bytes = std::fs::read(&path).with_context(|| {
        format!("cannot read {}: name a clone of https://github.com/logpai/loghub by `--logs`", path.display())
    })?;
    let mut before = Moment::new((2000, 1, 1), BEGINNING).context("a day in history")?;
    let mut lines = Vec::new();
    let mut unread = 0;
    for line in bytes.strip_suffix(b"\n").unwrap_or(&bytes).split(|byte| *byte == b'\n') {
        let read = head(&String::from_utf8_lossy(line));
        unread += u32::from(read.is_none());
        let made_up = || Head {
            time: Moment::at(before.ns + SECOND_NS),
            level: Some(USUAL.to_owned()),
            service: name.to_ascii_lowercase(),
        };
        let head = read.unwrap_or_else(made_up);
        before = head.time.clone();
        lines.push(Line { source, bytes: line.to_vec(), head });
    }
    ensure!(unread * 10 < u32::try_from(lines.len())?, "{unread} lines of {} are not of its format", path.display());
    Ok(lines)
}

fn head(time: Moment, level: &str, service: &str) -> Option<Head> {
    Some(Head { time, level: Some(level.to_owned()), service: service.to_owned() })
}

/// The first words of a line.
fn words<const N: usize>(line: &str) -> Option<[&str; N]> {
    line.split_whitespace().take(N).collect::<Vec<_>>().try_into().ok()
}

/// A date whose numbers are in the order of a year, a month and a day.
fn date(text: &str, separator: char) -> Option<(i64, i64, i64)> {
    let numbers: Vec<i64> = text.split(separator).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [year, month, day] = numbers.try_into().ok()?;
    Some((year, month, day))
}

/// A month by the first letters of its name.
fn month(name: &str) -> Option<i64> {
    let place = "JanFebMarAprMayJunJulAugSepOctNovDec".find(name).filter(|_| name.len() == 3)?;
    Some(place as i64 / 3 + 1)
}

/// The same without separators, two digits each.
fn packed(text: &str, separator: &str) -> Option<String> {
    let parts: Option<Vec<&str>> = (0..6).step_by(2).map(|at| text.get(at..at + 2)).collect();
    Some(parts?.join(separator))
}

/// A program's name: without its process, its module and what it says.
fn program(text: &str) -> &str {
    text.split(['[', '(', ':']).next().unwrap_or(text)
}

fn android(line: &str) -> Option<Head> {
    let [day, time, _, _, level, tag] = words(line)?;
    let (_, month, day) = date(&format!("2016-{day}"), '-')?;
    let level = match level {
        "V" => "TRACE",
        "D" => "DEBUG",
        "I" => "INFO",
        "W" => "WARN",
        "E" => "ERROR",
        "F" => "FATAL",
        other => other,
    };
    head(Moment::new((2016, month, day), time)?, level, program(tag))
}

fn apache(line: &str) -> Option<Head> {
    let (time, rest) = line.strip_prefix('[')?.split_once("] [")?;
    let [_, of_month, day, time, year] = words(time)?;
    let day = (year.parse().ok()?, month(of_month)?, day.parse().ok()?);
    head(Moment::new(day, time)?, rest.split(']').next()?, "httpd")
}

fn blue_gene(line: &str) -> Option<Head> {
    let [_, _, day, _, stamp, _, _, component, level] = words(line)?;
    head(Moment::new(date(day, '.')?, stamp.rsplit('-').next()?)?, level, component)
}

fn hdfs(line: &str) -> Option<Head> {
    let [day, time, _, level, class] = words(line)?;
    let day = date(&format!("20{}", packed(day, "-")?), '-')?;
    head(Moment::new(day, &packed(time, ":")?)?, level, program(class))
}

fn hpc(line: &str) -> Option<Head> {
    let [_, _, component, _, seconds] = words(line)?;
    let time = Moment::at(seconds.parse::<i64>().ok()? * SECOND_NS);
    Some(Head { time, level: None, service: component.to_owned() })
}

fn hadoop(line: &str) -> Option<Head> {
    let [day, time, level] = words(line)?;
    let (_, class) = line.split_once("] ")?;
    head(Moment::new(date(day, '-')?, time)?, level, program(class))
}

fn health_app(line: &str) -> Option<Head> {
    let mut parts = line.split('|');
    let (day, time) = parts.next()?.split_once('-')?;
    let (century, day) = day.split_at_checked(2)?;
    let day = date(&format!("{century}{}", packed(day, "-")?), '-')?;
    let (time, millis) = time.rsplit_once(':')?;
    head(Moment::new(day, &format!("{time}.{millis:0>3}"))?, USUAL, parts.next()?)
}

fn syslog(line: &str, year: i64) -> Option<Head> {
    let [of_month, day, time, _, tag] = words(line)?;
    head(Moment::new((year, month(of_month)?, day.parse().ok()?), time)?, USUAL, program(tag))
}

fn open_stack(line: &str) -> Option<Head> {
    let [_, day, time, _, level, module] = words(line)?;
    head(Moment::new(date(day, '-')?, time)?, level, module)
}

fn proxifier(line: &str) -> Option<Head> {
    let (time, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let [day, time] = words(time)?;
    let (program, _) = rest.split_once(" - ")?;
    head(Moment::new(date(&format!("2014.{day}"), '.')?, time)?, USUAL, program)
}

fn spark(line: &str) -> Option<Head> {
    let [day, time, level, class] = words(line)?;
    head(Moment::new(date(&format!("20{day}"), '/')?, time)?, level, program(class))
}

fn thunderbird(line: &str) -> Option<Head> {
    let [_, seconds, _, _, _, _, _, _, tag] = words(line)?;
    head(Moment::at(seconds.parse::<i64>().ok()? * SECOND_NS), USUAL, program(tag))
}

fn windows(line: &str) -> Option<Head> {
    let [day, time, level, component] = words(line)?;
    head(Moment::new(date(day, '-')?, time.trim_end_matches(','))?, level, component)
}

fn zookeeper(line: &str) -> Option<Head> {
    let [day, time, _, level] = words(line)?;
    head(Moment::new(date(day, '-')?, time)?, level, "zookeeper")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_says_when_how_bad_and_by_whom() {
        let read = |name: &str, line: &str| {
            let source = SOURCES.iter().find(|source| source.name == name).expect("a sample");
            let Head { time, level, service } = (source.head)(line).expect("a line of its format");
            format!("{} {} {service}", time.text, level.unwrap_or_default())
        };
        let cases = [
            (
                "Android",
                "03-17 16:13:38.811  1702  2395 D WindowManager: x",
                "2016-03-17T16:13:38.811Z DEBUG WindowManager",
            ),
            ("Apache", "[Sun Dec 04 04:47:44 2005] [notice] x", "2005-12-04T04:47:44Z notice httpd"),
            (
                "BGL",
                "- 1117838570 2005.06.03 R0 2005-06-03-15.42.50.675872 R0 RAS KERNEL INFO x",
                "2005-06-03T15:42:50.675872Z INFO KERNEL",
            ),
            ("HDFS", "081109 203615 148 INFO dfs.DataNode$P: x", "2008-11-09T20:36:15Z INFO dfs.DataNode$P"),
            ("HPC", "134681 node-246 unix.hw state 1077804742 1 x", "2004-02-26T14:12:22Z  unix.hw"),
            ("Hadoop", "2015-10-18 18:01:47,978 INFO [a b] org.x.Y: x", "2015-10-18T18:01:47.978Z INFO org.x.Y"),
            ("HealthApp", "20171223-2:5:29:6|Step_LSC|30002312|x", "2017-12-23T02:05:29.006Z INFO Step_LSC"),
            ("Linux", "Jun  4 15:16:01 combo sshd(pam_unix)[19939]: x", "2005-06-04T15:16:01Z INFO sshd"),
            (
                "OpenStack",
                "nova.log 2017-05-16 00:00:00.008 25746 INFO nova.api [x] x",
                "2017-05-16T00:00:00.008Z INFO nova.api",
            ),
            ("Proxifier", "[10.30 16:49:06] chrome.exe *64 - x", "2014-10-30T16:49:06Z INFO chrome.exe *64"),
            ("Spark", "17/06/09 20:10:40 INFO executor.X: x", "2017-06-09T20:10:40Z INFO executor.X"),
            (
                "Thunderbird",
                "- 1131566461 2005.11.09 dn Nov 9 12:01:01 dn crond[2]: x",
                "2005-11-09T20:01:01Z INFO crond",
            ),
            ("Windows", "2016-09-28 04:30:30, Info    CBS    x", "2016-09-28T04:30:30Z Info CBS"),
            ("Zookeeper", "2015-07-29 17:41:44,747 - WARN  [x] - x", "2015-07-29T17:41:44.747Z WARN zookeeper"),
        ];
        for (name, line, expected) in cases {
            assert_eq!(read(name, line), expected, "{name}");
        }
    }
}
