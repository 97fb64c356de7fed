//! Writes Opus packets into an Ogg file (RFC 3533, RFC 7845), so that they can be kept and read like every other recording.

/// The largest packet that fits a page.
pub const MAX_PACKET_BYTES: usize = 255 * 255 - 1;
/// The rate in which Ogg counts the time of Opus, in Hz, in thousands.
const PER_MS: u64 = 48;

/// How long a packet is, in samples of 48 kHz. `None` for what is no packet (RFC 6716, section 3.1).
pub fn packet_samples(packet: &[u8]) -> Option<u64> {
    let first = *packet.first()?;
    let config = first >> 3;
    // In tenths of a millisecond.
    let frame: u64 = match config {
        0..=11 => [100, 200, 400, 600][usize::from(config % 4)],
        12..=15 => [100, 200][usize::from(config % 2)],
        _ => [25, 50, 100, 200][usize::from(config % 4)],
    };
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(packet.get(1)? & 0x3f),
    };
    let samples = frame * frames * PER_MS / 10;
    // A packet has at most 120 ms.
    (frames > 0 && samples <= 120 * PER_MS && packet.len() <= MAX_PACKET_BYTES).then_some(samples)
}

/// A file with these packets.
pub fn opus_file<'p>(packets: impl IntoIterator<Item = &'p [u8]>, channels: u8, sample_rate: u32) -> Vec<u8> {
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels);
    // Nothing is left out at the start: the packets stand in the middle of a stream.
    head.extend_from_slice(&0_u16.to_le_bytes());
    head.extend_from_slice(&sample_rate.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    let mut tags = b"OpusTags".to_vec();
    tags.extend_from_slice(&7_u32.to_le_bytes());
    tags.extend_from_slice(b"debrief");
    tags.extend_from_slice(&0_u32.to_le_bytes());
    let mut file = Vec::new();
    write_page(&mut file, &head, (2, 0, 0));
    write_page(&mut file, &tags, (0, 0, 1));
    let mut packets = packets.into_iter().peekable();
    let (mut time, mut number) = (0, 2);
    while let Some(packet) = packets.next() {
        time += packet_samples(packet).unwrap_or(0);
        let flags = if packets.peek().is_none() { 4 } else { 0 };
        write_page(&mut file, packet, (flags, time, number));
        number += 1;
    }
    file
}

fn write_page(file: &mut Vec<u8>, packet: &[u8], (flags, time, number): (u8, u64, u32)) {
    let start = file.len();
    file.extend_from_slice(b"OggS\0");
    file.push(flags);
    file.extend_from_slice(&time.to_le_bytes());
    file.extend_from_slice(&1_u32.to_le_bytes());
    file.extend_from_slice(&number.to_le_bytes());
    file.extend_from_slice(&[0; 4]);
    let full = packet.len() / 255;
    file.push(u8::try_from(full + 1).unwrap_or(u8::MAX));
    file.extend(std::iter::repeat_n(255, full));
    file.push(u8::try_from(packet.len() % 255).unwrap_or_default());
    file.extend_from_slice(packet);
    let sum = checksum(&file[start..]);
    file[start + 22..start + 26].copy_from_slice(&sum.to_le_bytes());
}

/// The checksum of a page whose own field is zero.
fn checksum(page: &[u8]) -> u32 {
    page.iter().fold(0, |sum: u32, byte| {
        (0..8).fold(sum ^ (u32::from(*byte) << 24), |sum, _| {
            if sum & 0x8000_0000 == 0 { sum << 1 } else { (sum << 1) ^ 0x04c1_1db7 }
        })
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::Decoder;
    use super::*;

    /// A frame of 20 ms of silence for the whole band.
    const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];

    #[test]
    fn packets_that_were_written_are_read_back_with_their_length() {
        let packets = [SILENCE.as_slice(); 50];
        let mut decoder = Decoder::open(Cursor::new(opus_file(packets, 1, 16_000))).unwrap();
        assert_eq!((decoder.probed().container, decoder.probed().codec), ("ogg", "opus"));
        let mut ms = 0;
        while let Some(block) = decoder.next_block().unwrap() {
            ms += block.frames() * 1_000 / usize::try_from(block.sample_rate).unwrap();
        }
        assert_eq!(ms, 1_000, "fifty packets of 20 ms are a second");
    }

    #[test]
    fn the_length_of_a_packet_is_read_from_its_first_bytes() {
        assert_eq!(packet_samples(&SILENCE), Some(960));
        assert_eq!(packet_samples(&[0x00]), Some(480), "10 ms of narrow band");
        assert_eq!(packet_samples(&[0xfb, 0x03]), Some(2_880), "three frames of 20 ms");
        for wrong in [&[][..], &[0xfb], &[0xfb, 0x3f]] {
            assert_eq!(packet_samples(wrong), None, "{wrong:?}");
        }
    }
}
