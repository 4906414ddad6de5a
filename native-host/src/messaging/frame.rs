//! Native messaging's framing: a `u32` length in native byte order, then that many bytes of JSON.

use std::io::{self, Read, Write};

use byteorder::{NativeEndian, WriteBytesExt as _};

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The announced length passes the limit; nothing was allocated for it.
    #[error("a frame announced {length} bytes; at most {limit} are allowed")]
    TooLong {
        /// What was announced.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The stream ended inside a frame.
    #[error("the input ended inside a frame: {missing} of {expected} bytes are missing")]
    Truncated {
        /// How many bytes the piece should have had (4 for the length itself).
        expected: usize,
        /// How many did not come.
        missing: usize,
    },
    /// The stream itself failed.
    #[error("the stream to the browser failed: {0}")]
    Stream(#[from] io::Error),
}

/// Reads one frame; `None` at an end of the stream between frames.
///
/// The buffer grows with the bytes that really arrive, so a frame that only announces much costs
/// nothing.
pub fn read(stream: &mut impl Read, limit: usize) -> Result<Option<Vec<u8>>, FrameError> {
    let mut header = [0; 4];
    let got = fill(stream, &mut header)?;
    if got == 0 {
        return Ok(None);
    }
    if got < header.len() {
        return Err(FrameError::Truncated {
            expected: header.len(),
            missing: header.len() - got,
        });
    }
    let length = usize::try_from(u32::from_ne_bytes(header)).unwrap_or(usize::MAX);
    if length > limit {
        return Err(FrameError::TooLong { length, limit });
    }
    let mut frame = Vec::new();
    stream.take(length as u64).read_to_end(&mut frame)?;
    if frame.len() < length {
        return Err(FrameError::Truncated {
            expected: length,
            missing: length - frame.len(),
        });
    }
    Ok(Some(frame))
}

/// Writes one frame and flushes it.
pub fn write(stream: &mut impl Write, message: &[u8], limit: usize) -> Result<(), FrameError> {
    let too_long = FrameError::TooLong {
        length: message.len(),
        limit,
    };
    if message.len() > limit {
        return Err(too_long);
    }
    let length = u32::try_from(message.len()).map_err(|_| too_long)?;
    stream.write_u32::<NativeEndian>(length)?;
    stream.write_all(message)?;
    stream.flush()?;
    Ok(())
}

/// Reads until the buffer is full or the stream ends; how many bytes came.
fn fill(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match stream.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(read) => got += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_round_trip_and_end_cleanly() {
        let mut bytes = Vec::new();
        for message in [&b"{}"[..], b"", b"[1,2,3]"] {
            write(&mut bytes, message, 16).expect("fits");
        }
        let mut stream = &bytes[..];
        let mut next = || read(&mut stream, 16).expect("a frame");
        assert_eq!(next().as_deref(), Some(&b"{}"[..]));
        assert_eq!(next().as_deref(), Some(&b""[..]));
        assert_eq!(next().as_deref(), Some(&b"[1,2,3]"[..]));
        assert_eq!(next(), None);
    }

    #[test]
    fn lengths_past_the_limit_are_refused_both_ways() {
        let mut stream = &u32::MAX.to_ne_bytes()[..];
        assert!(matches!(
            read(&mut stream, 1 << 20),
            Err(FrameError::TooLong {
                length: 0xFFFF_FFFF,
                ..
            })
        ));
        assert!(matches!(
            write(&mut Vec::new(), b"123", 2),
            Err(FrameError::TooLong { length: 3, limit: 2 })
        ));
    }

    #[test]
    fn an_end_inside_a_frame_is_no_clean_end() {
        let truncated = |bytes: &[u8]| match read(&mut &bytes[..], 16) {
            Err(FrameError::Truncated { expected, missing }) => (expected, missing),
            other => panic!("{other:?}"),
        };
        assert_eq!(truncated(&[1, 0]), (4, 2));
        assert_eq!(truncated(&[&5_u32.to_ne_bytes()[..], b"ab"].concat()), (5, 3));
    }
}
