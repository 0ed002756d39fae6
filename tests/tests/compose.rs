//! `docker-compose.yml` as far as it can be checked without Docker: the same servers at the addresses it promises.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fs;

use saphyr::{LoadableYamlNode, Yaml};
use xtask::workspace;

/// Service, image, port and the variable of its comment.
const SERVICES: &[(&str, &str, &str, &str)] = &[
    ("kafka", "apache/kafka", "9092", "KAFKA_BROKERS=localhost:9092"),
    ("timescale", "timescale/timescaledb", "5432", "DATABASE_URL=postgres://postgres:postgres@localhost:5432/postgres"),
];

fn compose() -> String {
    fs::read_to_string(workspace::root().join("docker-compose.yml")).unwrap()
}

fn texts<'a>(sequence: &'a Yaml<'a>) -> Vec<&'a str> {
    sequence.as_sequence().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn each_service_has_a_pinned_image_a_local_port_and_a_health_check() {
    let text = compose();
    let documents = Yaml::load_from_str(&text).unwrap();
    let services = &documents[0]["services"];
    assert_eq!(services.as_mapping().unwrap().len(), SERVICES.len());
    for (name, image, port, variable) in SERVICES {
        let service = &services[*name];
        let (repository, tag) = service["image"].as_str().unwrap().split_once(':').unwrap();
        assert_eq!(repository, *image);
        assert!(tag.starts_with(|c: char| c.is_ascii_digit()), "{name} is not pinned: {tag}");
        assert_eq!(texts(&service["ports"]), [format!("127.0.0.1:{port}:{port}")]);
        assert!(texts(&service["healthcheck"]["test"]).len() > 1);
        assert!(text.contains(&format!("export {variable}\n")), "no comment gives {variable}");
    }
}

#[test]
fn every_environment_value_is_text_and_none_needs_a_file_of_variables() {
    let text = compose();
    let documents = Yaml::load_from_str(&text).unwrap();
    for (name, ..) in SERVICES {
        let environment = documents[0]["services"][*name]["environment"].as_mapping().unwrap();
        for (key, value) in environment {
            assert!(value.as_str().is_some(), "{name}: {} is no text: quote it", key.as_str().unwrap());
        }
    }
    assert!(!text.contains("${"));
}

#[test]
fn the_same_kafka_is_started_with_docker_and_without() {
    let pom = fs::read_to_string(workspace::root().join("tests/xtask/src/services/kafka/pom.xml")).unwrap();
    let text = compose();
    let tag = text.lines().find_map(|line| line.trim().strip_prefix("image: apache/kafka:")).unwrap();
    assert!(pom.contains(&format!("<version>{tag}</version>")), "docker-compose.yml has Kafka {tag}, pom.xml another");
}

#[test]
fn internal_topics_of_the_single_broker_have_one_replica() {
    let text = compose();
    let documents = Yaml::load_from_str(&text).unwrap();
    let environment = documents[0]["services"]["kafka"]["environment"].as_mapping().unwrap();
    let replicas: Vec<&str> = environment
        .iter()
        .filter(|(key, _)| key.as_str().unwrap().ends_with("_REPLICATION_FACTOR"))
        .map(|(_, value)| value.as_str().unwrap())
        .collect();
    assert_eq!(replicas, ["1", "1", "1"]);
}
