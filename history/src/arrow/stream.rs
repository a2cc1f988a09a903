//! Cuts a recording into its pieces: header, batches, end marker.
//!
//! ```text
//! ff ff ff ff  length  metadata (a flatbuffer)  body        one piece; the header has no body
//! ff ff ff ff  00 00 00 00                                  the end marker
//! ```

use std::io::Read;
use std::path::PathBuf;

use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::root_as_message;

use super::schema::{VERSION_KEY, VERSIONS, batch_metadata_bytes, headers, schema};
use super::{RecordError, VERSION, batch};

/// How much memory the columns of one batch may take, in bytes, before a reader refuses it.
pub const BATCH_BYTES_MAX: usize = 256 << 20;

const MARKER: [u8; 4] = [0xff; 4];

/// What a finished recording ends with.
pub(super) const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// The longest metadata that is read to find out what a file is.
const METADATA_BYTES_MAX: usize = 1 << 16;

pub(super) enum Piece {
    Batch {
        metadata: Vec<u8>,
        body: Vec<u8>,
    },
    /// The end marker, with nothing behind it.
    End,
    /// The file ends within a piece, after so many of its bytes.
    Cut(u64),
}

/// What does not fit.
#[derive(Debug)]
pub(super) struct Mismatch {
    pub(super) expected: String,
    pub(super) found: String,
}

impl Mismatch {
    pub(super) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { expected: expected.into(), found: found.into() }
    }
}

pub(super) struct Stream<R> {
    pub(super) path: PathBuf,
    input: R,
    /// Where the next piece begins.
    offset: u64,
    /// How many entries were decoded from the pieces so far.
    pub(super) entries: u64,
    /// How many bytes of the header there are, if the file is cut within it.
    header_cut: Option<u64>,
}

impl<R: Read> Stream<R> {
    /// Reads the header. A file that ends within it is a recording without entries.
    pub(super) fn open(input: R, path: PathBuf) -> Result<Self, RecordError> {
        let mut stream = Self { path, input, offset: 0, entries: 0, header_cut: None };
        let mut found = stream.read(8)?;
        if found.len() == 8 && found[..4] == MARKER {
            let length = metadata_length(&found).min(METADATA_BYTES_MAX);
            found.extend(stream.read(length)?);
        }
        if headers().contains(&found) {
            stream.offset = found.len() as u64;
            return Ok(stream);
        }
        if !found.is_empty() && headers().iter().any(|header| header.starts_with(&found)) {
            stream.header_cut = Some(found.len() as u64);
            return Ok(stream);
        }
        Err(stream.wrong_header(&found))
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn next(&mut self) -> Result<Piece, RecordError> {
        if let Some(bytes) = self.header_cut {
            return Ok(Piece::Cut(bytes));
        }
        let prefix = self.read(8)?;
        let expected_length = batch_metadata_bytes();
        let expected = [MARKER, (expected_length as u32).to_le_bytes()].concat();
        if prefix == END {
            return self.end();
        }
        if prefix.len() < 8 && (expected.starts_with(&prefix) || END.starts_with(&prefix)) {
            return Ok(Piece::Cut(prefix.len() as u64));
        }
        if prefix != expected {
            let wanted = format!("a batch ({}) or the end marker ({})", hex(&expected), hex(&END));
            return Err(self.corrupted(self.offset, Mismatch::new(wanted, hex(&prefix))));
        }
        let metadata = self.read(expected_length)?;
        if metadata.len() < expected_length {
            return Ok(Piece::Cut(8 + metadata.len() as u64));
        }
        let body_bytes =
            batch::body_bytes(&metadata).map_err(|wrong| self.corrupted(self.offset, wrong))?;
        let body = self.read(body_bytes)?;
        let bytes = (8 + metadata.len() + body.len()) as u64;
        if body.len() < body_bytes {
            return Ok(Piece::Cut(bytes));
        }
        self.offset += bytes;
        Ok(Piece::Batch { metadata, body })
    }

    fn end(&mut self) -> Result<Piece, RecordError> {
        self.offset += END.len() as u64;
        match self.read(1)?.is_empty() {
            true => Ok(Piece::End),
            false => {
                let wrong = Mismatch::new("the end of the file", "more bytes after the end marker");
                Err(self.corrupted(self.offset, wrong))
            }
        }
    }

    pub(super) fn corrupted(&self, offset: u64, wrong: Mismatch) -> RecordError {
        RecordError::Corrupted {
            path: self.path.clone(),
            offset,
            entries: self.entries,
            expected: wrong.expected,
            found: wrong.found,
        }
    }

    /// Says what a file is that does not begin as a recording of this version does.
    fn wrong_header(&self, found: &[u8]) -> RecordError {
        let other = |found: &str| RecordError::NotARecording {
            path: self.path.clone(),
            found: found.into(),
        };
        if found.is_empty() {
            return other("an empty file");
        }
        if found.starts_with(b"ARROW1") {
            return other("an Arrow file in the random-access format");
        }
        if !found.starts_with(&MARKER) {
            return other(&format!("a file that begins with {}", described(found)));
        }
        let Some(found_schema) = root_as_message(found.get(8..).unwrap_or_default())
            .ok()
            .and_then(|message| message.header_as_schema())
            .and_then(|schema| try_fb_to_schema(schema).ok())
        else {
            return other("an Arrow stream without a readable header");
        };
        match found_schema.metadata().get(VERSION_KEY) {
            None => other("an Arrow stream with other columns"),
            Some(version) if !VERSIONS.contains(&version.as_str()) => {
                RecordError::Version { path: self.path.clone(), found: version.clone() }
            }
            Some(_) if found_schema.fields() != schema().fields() => self.corrupted(
                self.offset,
                Mismatch::new(
                    format!("the columns of version {VERSION} or older"),
                    "other columns, names or types",
                ),
            ),
            Some(_) => self.corrupted(
                self.offset,
                Mismatch::new(
                    "the header as Perjury writes it",
                    "the same columns, written otherwise",
                ),
            ),
        }
    }

    /// Up to `limit` bytes; fewer only at the end of the file. Takes no more memory than is there.
    fn read(&mut self, limit: usize) -> Result<Vec<u8>, RecordError> {
        let mut bytes = Vec::with_capacity(limit.min(METADATA_BYTES_MAX));
        self.input
            .by_ref()
            .take(limit as u64)
            .read_to_end(&mut bytes)
            .map_err(|source| RecordError::reading(&self.path, source))?;
        Ok(bytes)
    }
}

fn metadata_length(prefix: &[u8]) -> usize {
    u32::from_le_bytes(prefix[4..8].try_into().expect("four bytes")) as usize
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn described(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(8)];
    match bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
        true => format!("`{}`", String::from_utf8_lossy(bytes)),
        false => hex(bytes),
    }
}
