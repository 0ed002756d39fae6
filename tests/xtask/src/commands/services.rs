//! `cargo xtask services`: the servers of this checkout that stay up.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use xtask::cli::{ServiceName, ServicesChore, Settings};
use xtask::services::{
    self, DATABASE_URL, DNS_SERVER, Dns, DnsRecipe, KAFKA_BROKERS, Kafka, KafkaRecipe, Recipe, Server, Timescale,
    TimescaleRecipe,
};

pub(crate) fn services(chore: ServicesChore) -> Result<()> {
    match chore {
        ServicesChore::Up { names, settings } => up(&names, settings),
        ServicesChore::Down { names, keep } => named(&names).iter().try_for_each(|name| down(*name, keep)),
        ServicesChore::Status { names } => named(&names).iter().try_for_each(|name| status(*name)),
        ServicesChore::Env { names } => named(&names).iter().try_for_each(|name| env(*name)),
        ServicesChore::Exec { tool, args } => exec(&tool, &args),
    }
}

fn named(names: &[ServiceName]) -> &[ServiceName] {
    if names.is_empty() { ServiceName::value_variants() } else { names }
}

fn up(names: &[ServiceName], settings: Settings) -> Result<()> {
    let names = if names.is_empty() { &[ServiceName::Kafka, ServiceName::Timescale] } else { names };
    for name in names {
        let variable = variable(*name);
        if let Some(value) = services::given(variable) {
            services::is_reachable(variable, &value)?;
            eprintln!("{variable} is given and answers: nothing to start");
            continue;
        }
        eprintln!("starting {} ...", title(*name));
        let value = match name {
            ServiceName::Kafka => Kafka::up(KafkaRecipe { full_jit: settings.full_jit })?.brokers(),
            ServiceName::Timescale => Timescale::up(TimescaleRecipe { fsync: !settings.no_fsync })?.url("postgres"),
            ServiceName::Dns => Dns::up(DnsRecipe {})?.address(),
        };
        println!("export {variable}={value}");
    }
    Ok(())
}

fn down(name: ServiceName, keep: bool) -> Result<()> {
    let was_there = match name {
        ServiceName::Kafka => Kafka::down(keep),
        ServiceName::Timescale => Timescale::down(keep),
        ServiceName::Dns => Dns::down(keep),
    }?;
    if was_there {
        eprintln!("{} is stopped and its data {}", title(name), if keep { "kept" } else { "deleted" });
    }
    Ok(())
}

fn status(name: ServiceName) -> Result<()> {
    match name {
        ServiceName::Kafka => Kafka::find().map(|server| print_status(name, server)),
        ServiceName::Timescale => Timescale::find().map(|server| print_status(name, server)),
        ServiceName::Dns => Dns::find().map(|server| print_status(name, server)),
    }
}

fn print_status<R: Recipe>(name: ServiceName, server: Option<Server<R>>) {
    let title = title(name);
    let Some(server) = server else {
        println!("{title:<12} not there");
        return;
    };
    let (port, folder) = (server.port(), server.folder().display());
    match server.process() {
        Some(process) => {
            let (pid, memory) = (process.pid, process.memory_kb() / 1024);
            println!("{title:<12} runs on 127.0.0.1:{port}, process {pid}, {memory} MB, in {folder}");
        }
        None => println!("{title:<12} stopped, data kept in {folder}"),
    }
}

fn env(name: ServiceName) -> Result<()> {
    if let Some(value) = address(name)? {
        println!("export {}={value}", variable(name));
    }
    Ok(())
}

/// Where a server of this checkout is, when it runs.
fn address(name: ServiceName) -> Result<Option<String>> {
    Ok(match name {
        ServiceName::Kafka => Kafka::find()?.filter(Server::is_running).map(|server| server.brokers()),
        ServiceName::Timescale => Timescale::find()?.filter(Server::is_running).map(|server| server.url("postgres")),
        ServiceName::Dns => Dns::find()?.filter(Server::is_running).map(|server| server.address()),
    })
}

fn exec(tool: &str, args: &[OsString]) -> Result<()> {
    let mut command = command(tool)?;
    let status = command.args(args).status().with_context(|| format!("cannot run {tool}"))?;
    // The tool has said itself what went wrong.
    std::process::exit(status.code().unwrap_or(1));
}

fn command(tool: &str) -> Result<Command> {
    let name = if tool == "psql" { ServiceName::Timescale } else { ServiceName::Kafka };
    let given = services::given(variable(name));
    let Some(address) = given.map_or_else(|| address(name), |value| Ok(Some(value)))? else {
        bail!("{} is not up: first run `cargo xtask services up`", title(name));
    };
    services::tool(tool, &address)
}

fn title(name: ServiceName) -> &'static str {
    match name {
        ServiceName::Kafka => "Kafka",
        ServiceName::Timescale => "TimescaleDB",
        ServiceName::Dns => "DNS",
    }
}

fn variable(name: ServiceName) -> &'static str {
    match name {
        ServiceName::Kafka => KAFKA_BROKERS,
        ServiceName::Timescale => DATABASE_URL,
        ServiceName::Dns => DNS_SERVER,
    }
}
