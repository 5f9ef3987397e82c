//! What a tool's output means: pip and apt say many things; a person needs one of five.

/// Why pip or apt failed, with the line that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    NoSpace,
    Hash(String),
    Untrusted(String),
    Network(String),
    NoBuild(String),
    Other(String),
}

const NO_SPACE: &[&str] = &["No space left on device", "Disk quota exceeded", "You don't have enough free space"];
const HASH: &[&str] = &["DO NOT MATCH THE HASHES", "Hash Sum mismatch", "Hashes of expected file"];
const UNTRUSTED: &[&str] =
    &["CERTIFICATE_VERIFY_FAILED", "certificate verify failed", "certificate verification failed", "NO_PUBKEY"];
const NETWORK: &[&str] = &[
    "Temporary failure in name resolution",
    "Temporary failure resolving",
    "Name or service not known",
    "No address associated with hostname",
    "Could not resolve",
    "Failed to establish a new connection",
    "Network is unreachable",
    "No route to host",
    "Connection refused",
    "Connection reset",
    "Connection aborted",
    "Could not connect to",
    "Connection timed out",
    "Connection failed",
    "connection timed out",
    "ConnectTimeoutError",
    "Read timed out",
    "ReadTimeoutError",
    "RemoteDisconnected",
    "IncompleteRead",
    "Cannot connect to proxy",
    "Unable to connect to",
];
const NO_BUILD: &[&str] = &["No matching distribution found", "is not a supported wheel on this platform"];

impl Fault {
    /// The order counts: a mirror that does not answer makes pip also say that it found no distribution.
    pub(super) fn of(output: &str) -> Self {
        let find = |marks: &[&str]| {
            output.lines().rev().find(|line| marks.iter().any(|mark| line.contains(mark))).map(shorten)
        };
        None.or_else(|| find(NO_SPACE).map(|_| Self::NoSpace))
            .or_else(|| find(HASH).map(Self::Hash))
            .or_else(|| find(UNTRUSTED).map(Self::Untrusted))
            .or_else(|| find(NETWORK).map(Self::Network))
            .or_else(|| find(NO_BUILD).map(Self::NoBuild))
            .unwrap_or_else(|| Self::Other(last_error(output)))
    }
}

/// The last line that calls itself an error, else the last line.
fn last_error(output: &str) -> String {
    let lines = || output.lines().rev().filter(|line| !line.trim().is_empty());
    let error = |line: &&str| ["E: ", "ERROR: ", "error: ", "Error: "].iter().any(|mark| line.contains(mark));
    lines().find(error).or_else(|| lines().next()).map_or_else(|| "it said nothing".to_owned(), shorten)
}

/// One line of at most 200 characters; of pip's nested exceptions the innermost.
fn shorten(line: &str) -> String {
    let inner = line.rsplit("(Caused by ").next().unwrap_or(line);
    let inner =
        inner.rsplit("object at 0x").next().and_then(|rest| rest.split_once(">: ")).map_or(inner, |(_, rest)| rest);
    let inner = inner
        .split("')'")
        .next()
        .unwrap_or(inner)
        .trim()
        .trim_end_matches(" - skipping")
        .trim_end_matches([')', '\'', '"']);
    inner.chars().filter(|character| !character.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_index_is_the_network_although_pip_also_finds_no_distribution() {
        let output = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f1>: \
                      Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/numpy/\n\
                      ERROR: Could not find a version that satisfies the requirement numpy\nERROR: No matching distribution found for numpy";
        let Fault::Network(why) = Fault::of(output) else { panic!("{:?}", Fault::of(output)) };
        assert_eq!(why, "Failed to establish a new connection: [Errno -3] Temporary failure in name resolution");
    }

    #[test]
    fn a_missing_wheel_is_no_build() {
        assert_eq!(
            Fault::of("ERROR: No matching distribution found for onnxruntime==1.31.1"),
            Fault::NoBuild("ERROR: No matching distribution found for onnxruntime==1.31.1".to_owned())
        );
    }

    #[test]
    fn a_full_disk_is_told_from_the_rest() {
        assert_eq!(
            Fault::of("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"),
            Fault::NoSpace
        );
        assert_eq!(Fault::of("E: You don't have enough free space in /x/."), Fault::NoSpace);
    }

    #[test]
    fn a_wrong_hash_is_told_from_the_rest() {
        let output = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated …\n    x==1 from …:\n        Expected sha256 1\n";
        assert!(matches!(Fault::of(output), Fault::Hash(_)));
    }

    #[test]
    fn an_untrusted_certificate_is_not_a_missing_network() {
        assert!(matches!(
            Fault::of(
                "connection broken by 'SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed'))'"
            ),
            Fault::Untrusted(_)
        ));
    }

    #[test]
    fn anything_else_is_its_last_error_line() {
        assert_eq!(
            Fault::of("Reading…\nE: Unable to locate package rabbitmq-server\n\n"),
            Fault::Other("E: Unable to locate package rabbitmq-server".to_owned())
        );
        assert_eq!(Fault::of(""), Fault::Other("it said nothing".to_owned()));
    }
}
