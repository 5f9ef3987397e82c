//! The images that the checkout pins: those of the servers in docker-compose.yml, those that ours is built from in the Dockerfile.

use std::path::{Path, PathBuf};

/// Their names with tags, each once. What a profile adds is not among them, nor what is built here.
pub(crate) fn pinned(checkout: &Path) -> std::io::Result<Vec<String>> {
    let read = |name: &str| std::fs::read_to_string(checkout.join(name));
    let compose = read("docker-compose.yml")?;
    let always = blocks(&compose).into_iter().filter(|block| !block.contains("profiles:"));
    let mut images: Vec<String> = always.flat_map(|block| named(&block, "image:")).collect();
    images.extend(named(&read("Dockerfile")?, "FROM "));
    images.sort();
    images.dedup();
    Ok(images)
}

/// The checkout that this program was built in.
pub(crate) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// The services and templates of a Compose file: what stands below a key that is indented by two blanks or none.
fn blocks(compose: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in compose.lines() {
        if !line.starts_with("   ") {
            blocks.push(String::new());
        }
        if let Some(block) = blocks.last_mut() {
            *block += line;
            *block += "\n";
        }
    }
    blocks
}

/// The word after `key` at the beginning of a line, where it has a tag.
fn named(text: &str, key: &str) -> Vec<String> {
    let words = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.split_whitespace().next());
    words.filter(|word| word.contains(':') && !word.contains('$')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_and_every_base_is_pinned() {
        let images = pinned(&checkout()).unwrap();
        for name in ["mongo:", "rabbitmq:", "qdrant/qdrant:", "rust:", "debian:"] {
            assert_eq!(images.iter().filter(|image| image.starts_with(name)).count(), 1, "{name} {images:?}");
        }
        assert_eq!(images.len(), 5, "{images:?}");
    }
}
