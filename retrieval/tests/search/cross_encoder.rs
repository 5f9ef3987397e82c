//! A cross-encoder small enough to be made on the spot: its score is the number of the query's tokens that stand in the
//! passage. A real ONNX graph for the real runtime, with the real tokenizer; only what it knows is little.

use std::fs;
use std::path::Path;

use prost::Message;
use tempfile::TempDir;

/// Element types of ONNX.
const FLOAT: i32 = 1;
const INT64: i32 = 7;
/// Types of an attribute.
const INT: i32 = 2;
const INTS: i32 = 7;
/// Of the operators that are used, and of the format: old enough for every runtime.
const OPSET: i64 = 13;
const IR_VERSION: i64 = 8;

/// What stands beside `model.onnx`.
const TOKENIZER: [&str; 4] = ["tokenizer.json", "config.json", "tokenizer_config.json", "special_tokens_map.json"];

/// A folder with the cross-encoder, its tokenizer that of the model in `tokenizer`.
pub(crate) fn folder(tokenizer: &Path) -> TempDir {
    written(tokenizer, "logits")
}

/// A model that answers something else, as one that embeds does.
pub(crate) fn foreign_folder(tokenizer: &Path) -> TempDir {
    written(tokenizer, "last_hidden_state")
}

fn written(tokenizer: &Path, output: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in TOKENIZER {
        fs::copy(tokenizer.join(name), folder.path().join(name)).expect("a tokenizer's file");
    }
    let model = Model {
        ir_version: IR_VERSION,
        graph: Some(graph(output)),
        opset_import: vec![Opset { domain: String::new(), version: OPSET }],
    };
    fs::write(folder.path().join("model.onnx"), model.encode_to_vec()).expect("a model");
    folder
}

/// (batch, sequence) ids, mask and types to one number for each pair.
fn graph(output: &str) -> Graph {
    let nodes = vec![
        node("Cast", &["attention_mask"], "mask", vec![int("to", FLOAT.into())]),
        node("Cast", &["token_type_ids"], "types", vec![int("to", FLOAT.into())]),
        node("Mul", &["types", "mask"], "passage", vec![]),
        node("Sub", &["mask", "passage"], "query", vec![]),
        node("Unsqueeze", &["input_ids", "two"], "down", vec![]),
        node("Unsqueeze", &["input_ids", "one"], "across", vec![]),
        node("Equal", &["down", "across"], "same", vec![]),
        node("Cast", &["same"], "pairs", vec![int("to", FLOAT.into())]),
        node("Unsqueeze", &["query", "two"], "of_query", vec![]),
        node("Unsqueeze", &["passage", "one"], "of_passage", vec![]),
        node("Mul", &["pairs", "of_query"], "from_query", vec![]),
        node("Mul", &["from_query", "of_passage"], "to_passage", vec![]),
        node("ReduceMax", &["to_passage"], "found", vec![ints("axes", &[2]), int("keepdims", 0)]),
        node("ReduceSum", &["found", "one"], "count", vec![int("keepdims", 1)]),
        node("Sub", &["count", "midway"], output, vec![]),
    ];
    let constant = |name: &str, values: &[i64]| Tensor {
        dims: vec![values.len() as i64],
        data_type: INT64,
        float_data: vec![],
        int64_data: values.to_vec(),
        name: name.into(),
    };
    let midway =
        Tensor { dims: vec![], data_type: FLOAT, float_data: vec![4.0], int64_data: vec![], name: "midway".into() };
    Graph {
        node: nodes,
        name: "overlap".into(),
        initializer: vec![constant("one", &[1]), constant("two", &[2]), midway],
        input: ["input_ids", "attention_mask", "token_type_ids"].map(|name| value(name, INT64, 2)).to_vec(),
        output: vec![value(output, FLOAT, 2)],
    }
}

fn node(op_type: &str, input: &[&str], output: &str, attribute: Vec<Attribute>) -> Node {
    let input = input.iter().map(ToString::to_string).collect();
    Node { input, output: vec![output.into()], op_type: op_type.into(), attribute }
}

fn int(name: &str, i: i64) -> Attribute {
    Attribute { name: name.into(), i, ints: vec![], kind: INT }
}

fn ints(name: &str, ints: &[i64]) -> Attribute {
    Attribute { name: name.into(), i: 0, ints: ints.to_vec(), kind: INTS }
}

fn value(name: &str, elem_type: i32, dimensions: usize) -> ValueInfo {
    let dim = (0..dimensions).map(|at| Dimension { dim_param: format!("{name}_{at}") }).collect();
    let tensor_type = Some(TensorType { elem_type, shape: Some(Shape { dim }) });
    ValueInfo { name: name.into(), r#type: Some(Type { tensor_type }) }
}

// The part of onnx.proto that this takes.

#[derive(Message)]
struct Model {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<Opset>,
}

#[derive(Message)]
struct Opset {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}

#[derive(Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfo>,
}

#[derive(Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
}

#[derive(Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "3")]
    i: i64,
    #[prost(int64, repeated, tag = "8")]
    ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    kind: i32,
}

#[derive(Message)]
struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(int64, repeated, tag = "7")]
    int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    name: String,
}

#[derive(Clone, Message)]
struct ValueInfo {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<Type>,
}

#[derive(Clone, Message)]
struct Type {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorType>,
}

#[derive(Clone, Message)]
struct TensorType {
    #[prost(int32, tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dimension>,
}

#[derive(Clone, Message)]
struct Dimension {
    #[prost(string, tag = "2")]
    dim_param: String,
}
