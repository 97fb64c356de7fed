#!/usr/bin/env bash
# Makes the small recordings of this folder again. It needs ffmpeg with its usual encoders. The tests do not need it,
# because the files are kept.
#
# Each file holds a tone of 440 Hz on the left and one of 880 Hz on the right. A second of it is enough for a codec
# that works on frames, and a fifth of a second for one that works on samples.
set -euo pipefail
cd "$(dirname "$0")"

make() {
  local file=$1 seconds=$2 rate=$3
  shift 3
  ffmpeg -hide_banner -loglevel error -y -bitexact \
    -f lavfi -i "sine=frequency=440:sample_rate=$rate:duration=$seconds" \
    -f lavfi -i "sine=frequency=880:sample_rate=$rate:duration=$seconds" \
    -filter_complex "[0][1]join=inputs=2:channel_layout=stereo,volume=6" -map_metadata -1 "$@" "$file"
}

for codec in pcm_u8 pcm_s16le pcm_s24le pcm_s32le pcm_f32le pcm_f64le pcm_mulaw pcm_alaw adpcm_ms adpcm_ima_wav; do
  make "$codec.wav" 0.2 8000 -c:a "$codec"
done
make pcm.aiff 0.2 8000 -c:a pcm_s16be
make mulaw.au 0.2 8000 -c:a pcm_mulaw
make pcm.au 0.2 8000 -c:a pcm_s16be
make mp3.mp3 1 16000 -c:a libmp3lame -b:a 24k
make bare.mp3 1 16000 -c:a libmp3lame -b:a 24k -write_xing 0 -id3v2_version 0
make adts.aac 1 16000 -c:a aac -b:a 32k
make index-last.m4a 1 16000 -c:a aac -b:a 32k
make index-first.m4a 1 16000 -c:a aac -b:a 32k -movflags +faststart
make fragmented.mp4 1 16000 -c:a aac -b:a 32k -movflags +frag_keyframe+empty_moov+default_base_moof
make flac.flac 1 16000 -c:a flac
make vorbis.ogg 1 16000 -c:a libvorbis -q:a 0 -page_duration 200000
make opus.ogg 1 48000 -c:a libopus -b:a 96k -page_duration 200000
make opus.webm 1 48000 -c:a libopus -b:a 96k
make vorbis.webm 1 16000 -c:a libvorbis -q:a 0
make wma.wma 1 16000 -c:a wmav2 -b:a 32k
ffmpeg -hide_banner -loglevel error -y -bitexact -f lavfi -i "color=c=black:size=16x16:rate=5:duration=1" \
  -i index-last.m4a -map 0:v -map 1:a -c:v mpeg4 -c:a copy video.mp4
ffmpeg -hide_banner -loglevel error -y -bitexact -f lavfi -i "color=c=black:size=16x16:rate=5:duration=1" \
  -c:v mpeg4 silent-film.mp4
