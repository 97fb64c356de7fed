//! A model of one layer with 16 numbers a place, in the layout of Hugging Face.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sounds::Dice;

const WIDTH: usize = 16;
const BANDS: usize = 80;
const PLACES: usize = 1_500;
const TEXT_PLACES: usize = 64;
/// Words, orders, and 1501 times.
const VOCABULARY: usize = 1_518;

/// A folder with the model.
pub(crate) fn model() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({
        "num_mel_bins": BANDS, "max_source_positions": PLACES, "d_model": WIDTH, "encoder_attention_heads": 2,
        "encoder_layers": 1, "vocab_size": VOCABULARY, "max_target_positions": TEXT_PLACES,
        "decoder_attention_heads": 2, "decoder_layers": 1, "suppress_tokens": [9]
    });
    write(folder.path(), "config.json", &config);
    let words = [
        "\u{120}yes",
        "\u{120}no",
        "\u{120}hello",
        "\u{120}order",
        "\u{120}parcel",
        ".",
        ",",
        "\u{120}thanks",
        "\u{120}good",
        "\u{266a}",
    ];
    let vocab: BTreeMap<&str, usize> = words.into_iter().zip(0..).collect();
    let orders = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        "<|en|>",
        "<|de|>",
        "<|transcribe|>",
        "<|nospeech|>",
        "<|notimestamps|>",
    ];
    let added: Vec<Value> = orders
        .iter()
        .zip(10..)
        .map(|(order, id)| json!({"id": id, "content": order, "special": true}))
        .collect();
    write(folder.path(), "tokenizer.json", &json!({"model": {"vocab": vocab}, "added_tokens": added}));
    std::fs::write(folder.path().join("model.safetensors"), safetensors(&weights())).unwrap();
    folder
}

fn write(folder: &Path, name: &str, value: &Value) {
    std::fs::write(folder.join(name), value.to_string()).unwrap();
}

pub(crate) fn change_config(folder: &Path, name: &str, value: u64) {
    let mut config: Value =
        serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
    config[name] = json!(value);
    write(folder, "config.json", &config);
}

/// Leaves only the first bytes of the weights.
pub(crate) fn cut_weights(folder: &Path, bytes: usize) {
    let path = folder.join("model.safetensors");
    let mut file = std::fs::read(&path).unwrap();
    file.truncate(bytes);
    std::fs::write(path, file).unwrap();
}

/// Makes the last value of the file no number.
pub(crate) fn spoil_weights(folder: &Path) {
    let path = folder.join("model.safetensors");
    let mut file = std::fs::read(&path).unwrap();
    let at = file.len() - 4;
    file[at..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(path, file).unwrap();
}

type Weights = Vec<(String, Vec<usize>, Vec<f32>)>;

struct Making {
    dice: Dice,
    made: Weights,
}

impl Making {
    fn add(&mut self, name: &str, shape: &[usize], spread: f32) {
        let values = (0..shape.iter().product()).map(|_| self.dice.between(-spread, spread)).collect();
        self.made.push((name.to_owned(), shape.to_vec(), values));
    }

    fn linear(&mut self, name: &str, to: usize, from: usize, has_bias: bool) {
        self.add(&format!("{name}.weight"), &[to, from], 0.6);
        if has_bias {
            self.add(&format!("{name}.bias"), &[to], 0.1);
        }
    }

    fn norm(&mut self, name: &str) {
        self.made.push((format!("{name}.weight"), vec![WIDTH], vec![1.0; WIDTH]));
        self.made.push((format!("{name}.bias"), vec![WIDTH], vec![0.0; WIDTH]));
    }

    fn attention(&mut self, name: &str) {
        for (part, has_bias) in [("q_proj", true), ("k_proj", false), ("v_proj", true), ("out_proj", true)] {
            self.linear(&format!("{name}.{part}"), WIDTH, WIDTH, has_bias);
        }
    }

    fn layer(&mut self, name: &str, is_decoder: bool) {
        self.attention(&format!("{name}.self_attn"));
        self.norm(&format!("{name}.self_attn_layer_norm"));
        if is_decoder {
            self.attention(&format!("{name}.encoder_attn"));
            self.norm(&format!("{name}.encoder_attn_layer_norm"));
        }
        self.linear(&format!("{name}.fc1"), 4 * WIDTH, WIDTH, true);
        self.linear(&format!("{name}.fc2"), WIDTH, 4 * WIDTH, true);
        self.norm(&format!("{name}.final_layer_norm"));
    }
}

fn weights() -> Weights {
    let mut making = Making { dice: Dice::new(11), made: Vec::new() };
    making.add("model.encoder.conv1.weight", &[WIDTH, BANDS, 3], 0.1);
    making.add("model.encoder.conv1.bias", &[WIDTH], 0.1);
    making.add("model.encoder.conv2.weight", &[WIDTH, WIDTH, 3], 0.3);
    making.add("model.encoder.conv2.bias", &[WIDTH], 0.1);
    making.layer("model.encoder.layers.0", false);
    making.norm("model.encoder.layer_norm");
    making.add("model.decoder.embed_tokens.weight", &[VOCABULARY, WIDTH], 0.8);
    making.add("model.decoder.embed_positions.weight", &[TEXT_PLACES, WIDTH], 0.8);
    making.layer("model.decoder.layers.0", true);
    making.norm("model.decoder.layer_norm");
    making.made
}

/// The file format: the length of a header, the header in JSON, and the values.
fn safetensors(weights: &Weights) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut values = Vec::new();
    for (name, shape, of_tensor) in weights {
        let from = values.len();
        values.extend(of_tensor.iter().flat_map(|value| value.to_le_bytes()));
        header.insert(
            name.clone(),
            json!({"dtype": "F32", "shape": shape, "data_offsets": [from, values.len()]}),
        );
    }
    let header = Value::Object(header).to_string().into_bytes();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(values);
    file
}
