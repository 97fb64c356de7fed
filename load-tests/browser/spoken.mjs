// A voice without words.

const RATE = 16000;

// Something like speech for so many seconds, and then silence, as a WAV file. A pause ends what somebody says.
export function spoken(seconds, silence) {
    const samples = Int16Array.from({ length: (seconds + silence) * RATE }, (_, at) => {
        const time = at / RATE;
        if (time > seconds) return 0;
        const syllable = Math.sqrt(Math.max(0, Math.sin(2 * Math.PI * 4 * time)));
        let sum = 0;
        for (let overtone = 1; overtone < 16; overtone++) {
            const frequency = 130 * overtone;
            const near = (formant, width) => 1 / (1 + ((frequency - formant) / width) ** 2);
            const strength = near(550 + 200 * Math.sin(8 * time), 120) + 0.5 * near(1500 + 400 * Math.sin(5.6 * time), 180) + 0.02;
            sum += strength * Math.sin(2 * Math.PI * frequency * time);
        }
        return Math.max(-30000, Math.min(30000, 9000 * syllable * sum));
    });
    const head = Buffer.alloc(44);
    head.write("RIFF");
    head.writeUInt32LE(36 + samples.byteLength, 4);
    head.write("WAVEfmt ", 8);
    head.writeUInt32LE(16, 16);
    head.writeUInt16LE(1, 20);
    head.writeUInt16LE(1, 22);
    head.writeUInt32LE(RATE, 24);
    head.writeUInt32LE(RATE * 2, 28);
    head.writeUInt16LE(2, 32);
    head.writeUInt16LE(16, 34);
    head.write("data", 36);
    head.writeUInt32LE(samples.byteLength, 40);
    return Buffer.concat([head, Buffer.from(samples.buffer)]);
}
