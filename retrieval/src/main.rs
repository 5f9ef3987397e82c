//! `retrieval`: searches the index from the command line.

mod command;

use std::io::{Write, stdout};
use std::process::exit;

use retrieval::{Query, SearchError, Searcher, context, json_line, readable};
use shared::{Output, index, settings, telemetry};

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
    let searcher = connect(&args.connection, &query).await?;
    let mut hits = searcher.search(&query).await?;
    searcher.expand(&mut hits, args.query.expand).await?;
    if hits.is_empty() {
        say_nothing(&searcher, &query, args.json).await?;
    } else if args.json {
        print(&hits.iter().map(|hit| json_line(hit, args.explain) + "\n").collect::<String>());
    } else {
        print(&readable(&hits, &searcher.author_names(&hits).await?, args.explain));
    }
    Ok(())
}

async fn prompt_context(args: &ContextArgs) -> Result<(), SearchError> {
    let query = args.query.to_query(args.limit, args.per_document)?;
    let searcher = connect(&args.connection, &query).await?;
    let mut hits = searcher.search(&query).await?;
    searcher.expand(&mut hits, args.query.expand).await?;
    let names = searcher.author_names(&hits).await?;
    let block = context(&hits, &names, args.tokens, |text| searcher.count_tokens(text));
    match (hits.is_empty(), block.is_empty()) {
        (true, _) => say_nothing(&searcher, &query, false).await?,
        (false, true) => eprintln!("no citation fits into {} tokens", args.tokens),
        (false, false) => print(&block),
    }
    Ok(())
}

/// For people always, for programs where there is a reason that they may not know.
async fn say_nothing(searcher: &Searcher, query: &Query, to_program: bool) -> Result<(), SearchError> {
    match searcher.why_nothing(query).await? {
        Some(nothing) => eprintln!("nothing found: {nothing}"),
        None if to_program => {}
        None => eprintln!("nothing found"),
    }
    Ok(())
}

async fn connect(connection: &Connection, query: &Query) -> Result<Searcher, SearchError> {
    let qdrant = index::client(&connection.qdrant)?;
    let reranker = match (query.rerank, &connection.rerank_model_dir) {
        (false, _) => None,
        (true, None) => return Err(SearchError::NoReranker),
        (true, Some(dir)) => Some(dir.clone()),
    };
    Searcher::start(qdrant, connection.embedding.clone(), reranker).await
}

/// Whoever reads may have seen enough (`| head`).
fn print(text: &str) {
    let mut out = Output::of(stdout().lock());
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        eprintln!("error: standard output: {error}");
        exit(1);
    }
}
