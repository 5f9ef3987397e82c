//! `retrieval`: searches the index from the command line.

mod command;

use std::io::{ErrorKind, Write, stdout};
use std::process::exit;

use retrieval::{SearchError, Searcher, context, json_line, readable};
use shared::{index, settings, telemetry};

use command::{Cli, Command, Connection, ContextArgs, SearchArgs};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let cli: Cli = settings::parse();
    if let Err(problem) = telemetry::init_at("warn", cli.log.log_format) {
        settings::fail(&problem);
    }
    let printed = match &cli.command {
        Command::Search(args) => search(args).await,
        Command::Context(args) => prompt_context(args).await,
    };
    if let Err(error) = printed {
        // One line, whatever a library has put into its message.
        eprintln!("error: {}", error.to_string().split_whitespace().collect::<Vec<_>>().join(" "));
        exit(error.exit_code());
    }
}

async fn search(args: &SearchArgs) -> Result<(), SearchError> {
    let query = args.query.to_query(args.limit, args.per_document)?;
    let searcher = connect(&args.connection).await?;
    let mut hits = searcher.search(&query).await?;
    searcher.expand(&mut hits, args.query.expand).await?;
    if args.json {
        print(&hits.iter().map(|hit| json_line(hit, args.explain) + "\n").collect::<String>());
    } else if hits.is_empty() {
        eprintln!("nothing found");
    } else {
        print(&readable(&hits, &searcher.author_names(&hits).await?, args.explain));
    }
    Ok(())
}

async fn prompt_context(args: &ContextArgs) -> Result<(), SearchError> {
    let query = args.query.to_query(args.limit, args.per_document)?;
    let searcher = connect(&args.connection).await?;
    let mut hits = searcher.search(&query).await?;
    searcher.expand(&mut hits, args.query.expand).await?;
    let names = searcher.author_names(&hits).await?;
    let block = context(&hits, &names, args.tokens, |text| searcher.count_tokens(text));
    match (hits.is_empty(), block.is_empty()) {
        (true, _) => eprintln!("nothing found"),
        (false, true) => eprintln!("no citation fits into {} tokens", args.tokens),
        (false, false) => print(&block),
    }
    Ok(())
}

async fn connect(connection: &Connection) -> Result<Searcher, SearchError> {
    let qdrant = index::client(&connection.qdrant)?;
    Searcher::start(qdrant, connection.embedding.clone()).await
}

/// Whoever reads may have seen enough (`| head`).
fn print(text: &str) {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("error: standard output: {error}");
            exit(1);
        }
        _ => {}
    }
}
