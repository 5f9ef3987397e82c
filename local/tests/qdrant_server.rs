//! The tests of `local/qdrant`, which are Python's: run with the packages that were provisioned for it.

mod support;

use std::path::Path;
use std::process::Command;

use local::QdrantProgram;

#[tokio::test]
async fn the_python_tests_pass() {
    let installation = support::installation().await;
    let QdrantProgram::Edge { python, python_path, .. } = &installation.qdrant else {
        println!("a real Qdrant is installed: our server is not used here");
        return;
    };
    let output = Command::new(python)
        .args(["-m", "unittest", "discover", "--start-directory", "tests"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("qdrant"))
        .env("PYTHONPATH", python_path)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stdout));
    println!("{}", said.trim_end().lines().last().unwrap_or_default());
}
