//! The machine code that makes a process see another time (x86-64).
//!
//! A process reads the clock through functions that the kernel maps into it, the vDSO. Each process
//! may change its own copy of that page, and root may do it for it. The code here takes their place:
//! it has the kernel tell the time and adds an offset.
//!
//! ```text
//! 0   "PERJURY1"     by which the code is found again
//! 8   offset A       in nanoseconds
//! 16  offset B       in nanoseconds
//! 24  0 or 1         which of the two counts
//! 32  code of clock_gettime, gettimeofday, time
//! ```
//!
//! To change the offset, the one that does not count is written first and then the byte that
//! chooses, so that no reader ever sees half of a new one.

/// First bytes of the code.
pub(super) const MAGIC: &[u8; 8] = b"PERJURY1";

/// Where the offsets are, and the byte that chooses.
pub(super) const OFFSETS: [usize; 2] = [8, 16];
pub(super) const CHOICE: usize = 24;

/// The code, and where in it each function begins.
pub(super) struct Code {
    pub(super) bytes: Vec<u8>,
    /// By the name of the vDSO's function.
    pub(super) functions: Vec<(&'static str, usize)>,
}

impl Code {
    /// It needs no address: all that it refers to is itself.
    pub(super) fn new() -> Self {
        let mut code = Self { bytes: MAGIC.to_vec(), functions: Vec::new() };
        code.bytes.resize(CHOICE + 8, 0);
        let clock_gettime = code.clock_gettime();
        code.gettimeofday();
        code.time(clock_gettime);
        code
    }

    fn function(&mut self, name: &'static str) -> usize {
        let start = self.bytes.len();
        self.functions.push((name, start));
        start
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// An instruction whose last four bytes say how far away something is.
    fn put_relative(&mut self, instruction: &[u8], target: usize) {
        self.put(instruction);
        let next = self.bytes.len() + 4;
        let distance = target as i32 - next as i32;
        self.put(&distance.to_le_bytes());
    }

    /// A short jump ahead; returns what [`Code::land`] takes.
    fn jump(&mut self, instruction: u8) -> usize {
        self.put(&[instruction, 0]);
        self.bytes.len()
    }

    /// Here is where a jump goes to.
    fn land(&mut self, jump: usize) {
        self.bytes[jump - 1] = (self.bytes.len() - jump) as u8;
    }

    /// rax = the offset that counts, in nanoseconds.
    fn load_offset(&mut self) {
        self.put_relative(&[0x4c, 0x8d, 0x05], OFFSETS[0]); // lea r8, [offsets]
        self.put_relative(&[0x0f, 0xb6, 0x05], CHOICE); // movzx eax, byte [choice]
        self.put(&[0x49, 0x8b, 0x04, 0xc0]); // mov rax, [r8 + rax * 8]
    }

    /// rax = rax / divisor rounded down, rdx = what is left.
    fn divide(&mut self, divisor: u32) {
        self.put(&[0xb9]); // mov ecx, divisor
        self.put(&divisor.to_le_bytes());
        self.put(&[0x48, 0x99]); // cqo
        self.put(&[0x48, 0xf7, 0xf9]); // idiv rcx
        self.put(&[0x48, 0x85, 0xd2]); // test rdx, rdx
        let positive = self.jump(JNS);
        self.put(&[0x48, 0x01, 0xca]); // add rdx, rcx
        self.put(&[0x48, 0xff, 0xc8]); // dec rax
        self.land(positive);
    }

    fn system_call(&mut self, number: u32) {
        self.put(&[0xb8]); // mov eax, number
        self.put(&number.to_le_bytes());
        self.put(&[0x0f, 0x05]); // syscall
    }

    /// edi: which clock; rsi: where to put the time.
    fn clock_gettime(&mut self) -> usize {
        let start = self.function("__vdso_clock_gettime");
        self.system_call(228);
        self.put(&[0x85, 0xc0]); // test eax, eax
        let failed = self.jump(JNE);
        self.put(&[0x85, 0xff]); // test edi, edi: CLOCK_REALTIME
        let realtime = self.jump(JE);
        self.put(&[0x83, 0xff, 0x05]); // cmp edi, 5: CLOCK_REALTIME_COARSE
        let other = self.jump(JNE);
        self.land(realtime);
        self.load_offset();
        self.put(&[0x48, 0x03, 0x46, 0x08]); // add rax, [rsi + 8]
        self.divide(1_000_000_000);
        self.put(&[0x48, 0x01, 0x06]); // add [rsi], rax
        self.put(&[0x48, 0x89, 0x56, 0x08]); // mov [rsi + 8], rdx
        self.put(&[0x31, 0xc0]); // xor eax, eax
        self.land(failed);
        self.land(other);
        self.put(&[RET]);
        start
    }

    /// rdi: where to put the time, if anywhere.
    fn gettimeofday(&mut self) {
        self.function("__vdso_gettimeofday");
        self.system_call(96);
        self.put(&[0x85, 0xc0]); // test eax, eax
        let failed = self.jump(JNE);
        self.put(&[0x48, 0x85, 0xff]); // test rdi, rdi
        let nowhere = self.jump(JE);
        self.load_offset();
        self.divide(1_000);
        self.put(&[0x48, 0x03, 0x47, 0x08]); // add rax, [rdi + 8]
        self.divide(1_000_000);
        self.put(&[0x48, 0x01, 0x07]); // add [rdi], rax
        self.put(&[0x48, 0x89, 0x57, 0x08]); // mov [rdi + 8], rdx
        self.put(&[0x31, 0xc0]); // xor eax, eax
        self.land(failed);
        self.land(nowhere);
        self.put(&[RET]);
    }

    /// rdi: where to put the seconds besides returning them, if anywhere.
    fn time(&mut self, clock_gettime: usize) {
        self.function("__vdso_time");
        self.put(&[0x57]); // push rdi
        self.put(&[0x48, 0x83, 0xec, 0x10]); // sub rsp, 16
        self.put(&[0x31, 0xff]); // xor edi, edi: CLOCK_REALTIME
        self.put(&[0x48, 0x89, 0xe6]); // mov rsi, rsp
        self.put_relative(&[0xe8], clock_gettime); // call clock_gettime
        self.put(&[0x48, 0x8b, 0x04, 0x24]); // mov rax, [rsp]
        self.put(&[0x48, 0x83, 0xc4, 0x10]); // add rsp, 16
        self.put(&[0x5f]); // pop rdi
        self.put(&[0x48, 0x85, 0xff]); // test rdi, rdi
        let nowhere = self.jump(JE);
        self.put(&[0x48, 0x89, 0x07]); // mov [rdi], rax
        self.land(nowhere);
        self.put(&[RET]);
    }
}

const JE: u8 = 0x74;
const JNE: u8 = 0x75;
const JNS: u8 = 0x79;
const RET: u8 = 0xc3;

/// What a function begins with instead: a jump from `from` to `to`.
pub(super) fn jump_to(from: usize, to: usize) -> [u8; 5] {
    let distance = to as i32 - (from as i32 + 5);
    let [a, b, c, d] = distance.to_le_bytes();
    [0xe9, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_short_and_its_functions_are_three() {
        let code = Code::new();
        assert!(code.bytes.len() < 256, "{}", code.bytes.len());
        let names: Vec<_> = code.functions.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time"]);
        for (_, start) in &code.functions[1..] {
            assert_eq!(code.bytes[start - 1], RET, "each begins behind another's end");
        }
    }

    #[test]
    fn jumps_count_from_their_end() {
        assert_eq!(jump_to(0x100, 0x100 + 5), [0xe9, 0, 0, 0, 0]);
        assert_eq!(jump_to(0x100, 0x100), [0xe9, 0xfb, 0xff, 0xff, 0xff]);
    }
}
