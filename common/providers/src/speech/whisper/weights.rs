//! Reads the weights from `model.safetensors`, tensor by tensor, so that no weight is in memory twice.
//!
//! A file of weights comes from somewhere, so nothing in it is believed: a header that is too long, a tensor that lies
//! outside the file, another shape than the network has, and values that are no numbers are errors that say what is wrong.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::Init;
use candle_nn::var_builder::SimpleBackend;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::files::ModelError;

const FILE: &str = "model.safetensors";
/// The header of the largest model has 150 kB.
const MAX_HEADER_BYTES: u64 = 16 * 1024 * 1024;

/// The weights of a model, in their file.
pub(super) struct Weights {
    file: Mutex<File>,
    tensors: HashMap<String, Entry>,
    /// Where the values begin in the file.
    values_at: u64,
    /// Whether the values are read. Otherwise only their shapes are looked at.
    reads_values: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl Entry {
    fn values(&self) -> Option<u64> {
        self.shape.iter().try_fold(1_u64, |product, side| product.checked_mul(*side))
    }

    fn bytes_per_value(&self) -> Option<u64> {
        match self.dtype.as_str() {
            "F32" => Some(4),
            "F16" | "BF16" => Some(2),
            _ => None,
        }
    }
}

impl Weights {
    pub(super) fn open(folder: &Path, reads_values: bool) -> Result<Self, ModelError> {
        let path = folder.join(FILE);
        let said = |error: &dyn std::fmt::Display| {
            ModelError::new(format!("failed to read `{}`: {error}", path.display()))
        };
        let mut file = File::open(&path).map_err(|error| said(&error))?;
        let length = file.metadata().map_err(|error| said(&error))?.len();
        let mut prefix = [0; 8];
        file.read_exact(&mut prefix).map_err(|_| said(&"it is shorter than its header"))?;
        let header_bytes = u64::from_le_bytes(prefix);
        if header_bytes > MAX_HEADER_BYTES || header_bytes.saturating_add(8) > length {
            return Err(said(&"it is no safetensors file, or it is cut short"));
        }
        let mut header = Vec::new();
        file.by_ref().take(header_bytes).read_to_end(&mut header).map_err(|error| said(&error))?;
        let listed: HashMap<String, Box<RawValue>> =
            serde_json::from_slice(&header).map_err(|_| said(&"its header cannot be read"))?;
        let values_at = 8 + header_bytes;
        let mut tensors = HashMap::new();
        for (name, entry) in listed.into_iter().filter(|(name, _)| name != "__metadata__") {
            let entry: Entry = serde_json::from_str(entry.get())
                .map_err(|_| said(&format!("the header cannot be read at `{name}`")))?;
            let (from, until) = entry.data_offsets;
            let wanted = entry
                .values()
                .zip(entry.bytes_per_value())
                .and_then(|(count, bytes)| count.checked_mul(bytes));
            match wanted {
                None => {
                    return Err(said(&format!(
                        "`{name}` has values of the type {}, which is not known",
                        entry.dtype
                    )));
                }
                Some(wanted) if until.checked_sub(from) != Some(wanted) => {
                    return Err(said(&format!("the header contradicts itself at `{name}`")));
                }
                Some(_) => {}
            }
            if until.saturating_add(values_at) > length {
                return Err(said(&format!("it is cut short: `{name}` lies behind its end")));
            }
            tensors.insert(name, entry);
        }
        Ok(Self { file: Mutex::new(file), tensors, values_at, reads_values })
    }

    /// How much memory the weights take when they are loaded, and while they are.
    pub(super) fn memory_bytes(&self) -> u64 {
        let sizes = || self.tensors.values().filter_map(Entry::values).map(|count| count.saturating_mul(4));
        sizes().sum::<u64>() + 2 * sizes().max().unwrap_or_default()
    }

    fn values(&self, entry: &Entry) -> std::io::Result<Vec<u8>> {
        let (from, until) = entry.data_offsets;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.values_at + from))?;
        let mut bytes = vec![0; usize::try_from(until - from).unwrap_or_default()];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl SimpleBackend for Weights {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let said = |problem: String| candle_core::Error::Msg(format!("`{FILE}` {problem}"));
        let entry = self.tensors.get(name).ok_or_else(|| said(format!("has no `{name}`")))?;
        let found: Vec<usize> = entry.shape.iter().filter_map(|side| usize::try_from(*side).ok()).collect();
        if found != shape.dims() {
            return Err(said(format!(
                "has `{name}` in the shape {found:?}, but config.json asks for {:?}",
                shape.dims()
            )));
        }
        if !self.reads_values {
            // One value that is seen at every place takes no memory.
            return Tensor::zeros((), dtype, device)?.broadcast_as(shape);
        }
        let bytes =
            self.values(entry).map_err(|error| said(format!("cannot be read at `{name}`: {error}")))?;
        let kind = match entry.dtype.as_str() {
            "F16" => DType::F16,
            "BF16" => DType::BF16,
            _ => DType::F32,
        };
        let tensor = Tensor::from_raw_buffer(&bytes, kind, shape.dims(), device)?.to_dtype(dtype)?;
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        if values.iter().any(|value| !value.is_finite()) {
            return Err(said(format!("is damaged: `{name}` has values that are no numbers")));
        }
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        let entry = self.tensors.get(name);
        let shape: Option<Vec<usize>> =
            entry.map(|entry| entry.shape.iter().filter_map(|side| usize::try_from(*side).ok()).collect());
        self.get(shape.unwrap_or_default().into(), name, Init::Const(0.0), dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }
}
