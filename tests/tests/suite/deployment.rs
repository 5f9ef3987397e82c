//! What is deployed: its files are well formed, and names, ports, images and settings are the same wherever they stand.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use local::{Progress, default_cache, python_packages};
use tests::{binary, installation};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn assert_ok(what: &str, output: &Output) {
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&said));
}

/// `--help` of a command as one line.
fn help(program: &str, command: &str) -> String {
    let output = Command::new(binary(program)).args([command, "--help"]).env_clear().output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The variables that a command reads.
fn variables(program: &str, command: &str) -> BTreeSet<String> {
    let help = help(program, command);
    help.split("[env: ").skip(1).map(|rest| rest.split(['=', ']']).next().unwrap().to_owned()).collect()
}

/// The lines of a service in docker-compose.yml.
fn service(name: &str) -> String {
    let compose = text("docker-compose.yml");
    let (_, rest) = compose.split_once(&format!("\n  {name}:\n")).unwrap_or_else(|| panic!("no service {name}"));
    rest.lines().take_while(|line| line.is_empty() || line.starts_with("   ")).collect::<Vec<_>>().join("\n")
}

/// The same, with those of the template that it is made of.
fn whole_service(name: &str) -> String {
    let service = service(name);
    let compose = text("docker-compose.yml");
    let template = service.lines().find_map(|line| line.trim().strip_prefix("<<: *"));
    let template = template.map_or("", |template| {
        let (_, rest) = compose.split_once(&format!("x-{template}: &{template}\n")).unwrap();
        rest.split("\n\n").next().unwrap()
    });
    format!("{service}\n{template}")
}

/// Those that run on.
const SERVICES: [&str; 9] =
    ["mongo1", "mongo2", "mongo3", "rabbitmq", "qdrant", "producer", "consumer", "prometheus", "grafana"];

/// By the schemas of their makers and by hadolint, whose versions are pinned.
#[tokio::test(flavor = "multi_thread")]
async fn workflow_compose_file_and_dockerfiles_are_well_formed() {
    let python = &installation().await.python;
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("lint/requirements.txt");
    let packages = python_packages(&default_cache(), "linters", &requirements, &Progress::stderr()).await.unwrap();
    for (schema, file) in
        [("vendor.github-workflows", ".github/workflows/ci.yml"), ("vendor.compose-spec", "docker-compose.yml")]
    {
        let mut check = Command::new(python);
        check.args(["-m", "check_jsonschema", "--builtin-schema", schema, file]).env("PYTHONPATH", &packages);
        assert_ok(file, &check.current_dir(root()).output().unwrap());
    }
    let mut hadolint = Command::new(packages.join("bin/hadolint"));
    hadolint.args(["--config", ".hadolint.yaml", "Dockerfile"]);
    hadolint.args(["mongo", "rabbitmq", "qdrant", "rust"].map(|name| format!("local/images/{name}/Dockerfile")));
    assert_ok("hadolint", &hadolint.current_dir(root()).output().unwrap());
}

#[test]
fn every_service_is_watched_and_started_again_within_bounds_of_memory_and_log() {
    for name in SERVICES {
        let service = whole_service(name);
        for key in ["healthcheck:", "restart: unless-stopped", "mem_limit:", "logging: *logging", "no-new-privileges"] {
            assert!(service.contains(key), "{name} has no {key}");
        }
    }
    for name in ["producer", "consumer", "replica-set", "retrieval"] {
        let service = whole_service(name);
        for key in ["read_only: true", "cap_drop: [ALL]", "mem_limit:"] {
            assert!(service.contains(key), "{name} has no {key}");
        }
    }
}

/// What Prometheus asks is a service, and a port that it listens on.
#[test]
fn every_service_that_is_scraped_listens_there() {
    let configuration = text("deploy/observe/prometheus.yml");
    let targets: Vec<&str> =
        configuration.split("targets: [\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(targets.len(), 3, "{targets:?}");
    for target in targets {
        let (name, port) = target.split_once(':').unwrap();
        // The broker's own, of its plugin.
        assert!(
            service(name).contains(&format!("_HTTP_LISTEN: 0.0.0.0:{port}\n")) || target == "rabbitmq:15692",
            "{target}"
        );
    }
}

/// Only what the image brings, or what is no affair of containers, is not handed on.
#[test]
fn every_setting_reaches_its_container() {
    let brought = ["EMBEDDING_MODEL_DIR", "ORT_DYLIB_PATH", "QDRANT_API_KEY"];
    for name in ["producer", "consumer"] {
        let service = service(name);
        for variable in variables(name, "run") {
            let given = service.lines().any(|line| line.trim_start().starts_with(&format!("{variable}:")));
            assert!(given || brought.contains(&variable.as_str()), "{variable} is not handed to {name}");
        }
    }
    let dockerfile = text("Dockerfile");
    assert!(brought[..2].iter().all(|variable| dockerfile.contains(&format!("{variable}="))));
}

/// And no container is handed what no program reads.
#[test]
fn every_variable_of_a_container_is_a_setting() {
    let known: BTreeSet<String> =
        [("producer", "run"), ("consumer", "run"), ("consumer", "verify"), ("retrieval", "search")]
            .into_iter()
            .flat_map(|(program, command)| variables(program, command))
            .collect();
    for name in ["producer", "consumer"] {
        let service = service(name);
        let (_, environment) = service.split_once("environment:").unwrap();
        let environment = environment.lines().skip(1).take_while(|line| line.starts_with("      "));
        for line in environment.filter(|line| !line.trim().starts_with('#')) {
            let variable = line.trim().split(':').next().unwrap();
            assert!(known.contains(variable) || variable == "RUST_LOG", "{name} is handed {variable}");
        }
    }
}

#[test]
fn ports_and_their_settings_are_the_same_everywhere() {
    let (compose, example, help) = (text("docker-compose.yml"), text(".env.example"), help("local", "start"));
    for (variable, port) in [
        ("LOCAL_MONGODB_PORT", 27017),
        ("LOCAL_RABBITMQ_PORT", 5672),
        ("LOCAL_RABBITMQ_MANAGEMENT_PORT", 15672),
        ("LOCAL_QDRANT_PORT", 6334),
        ("LOCAL_PRODUCER_PORT", 9101),
        ("LOCAL_CONSUMER_PORT", 9102),
        ("LOCAL_PROMETHEUS_PORT", 9090),
        ("LOCAL_GRAFANA_PORT", 3000),
    ] {
        assert!(compose.contains(&format!("\"127.0.0.1:${{{variable}:-{port}}}:{port}\"")), "{variable} in compose");
        let in_example = example.lines().any(|line| line.split("  ").next() == Some(&format!("# {variable}={port}")));
        assert!(in_example, "{variable} in .env.example");
        // Compose alone reads those of the profile `observe`.
        if !["LOCAL_PROMETHEUS_PORT", "LOCAL_GRAFANA_PORT"].contains(&variable) {
            assert!(help.contains(&format!("[env: {variable}=] [default: {port}]")), "{variable} in local --help");
        }
    }
    for port in compose.lines().filter(|line| line.contains("PORT:-")) {
        assert!(port.contains("\"127.0.0.1:"), "only for this machine: {port}");
    }
}

#[test]
fn images_are_pinned_by_version_and_named_in_the_documents() {
    let documents = text("README.md") + &text("docs/operations.md");
    let files = text("docker-compose.yml") + &text("Dockerfile");
    let images = files.lines().filter_map(|line| {
        let line = line.trim();
        line.strip_prefix("image: ").or_else(|| line.strip_prefix("FROM "))?.split_whitespace().next()
    });
    for image in images.filter(|image| !image.starts_with("llm-twin:")) {
        let (_, tag) = image.split_once(':').unwrap_or_else(|| panic!("{image} has no tag"));
        assert!(tag.contains(|c: char| c.is_ascii_digit()), "{image} has no version");
        assert!(documents.contains(image), "{image} is in no document");
    }
}

#[test]
fn no_credential_stands_in_the_compose_file() {
    for line in text("docker-compose.yml").lines() {
        let key = line.trim().split(':').next().unwrap_or_default();
        if ["PASS", "USER", "KEY", "TOKEN"].iter().any(|word| key.contains(word)) && !key.starts_with('#') {
            assert!(line.contains("${"), "{line}");
        }
    }
}
