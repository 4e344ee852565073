#include "net/utf8.h"
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* State between two calls: continuation bytes still due in bits 0-7, the bounds of the next one
 * in bits 8-15 and 16-23. The bounds carry all of RFC 3629's exceptions: after E0, ED, F0 and F4
 * the first continuation byte has less room. After an error no byte fits the bounds any more. */
#define STATE(due, low, high) ((uint32_t)(due) | (uint32_t)(low) << 8 | (uint32_t)(high) << 16)
#define STATE_BAD STATE(1, 0xFF, 0x00)

static uint32_t state_after_lead(uint8_t lead)
{
	if (lead < 0x80)
		return 0;
	if (lead < 0xC2)
		return STATE_BAD;
	if (lead < 0xE0)
		return STATE(1, 0x80, 0xBF);
	if (lead < 0xF0)
		return STATE(2, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF);
	if (lead <= 0xF4)
		return STATE(3, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
	return STATE_BAD;
}

static uint32_t state_after(uint32_t state, uint8_t byte)
{
	if (state == 0)
		return state_after_lead(byte);
	if (byte < (uint8_t)(state >> 8) || byte > (uint8_t)(state >> 16))
		return STATE_BAD;
	uint8_t due = (uint8_t)state;
	return due == 1 ? 0 : STATE(due - 1, 0x80, 0xBF);
}

static size_t ascii_prefix(const uint8_t *p, size_t n)
{
	size_t i = 0;
	for (; n - i >= 8; i += 8) {
		uint64_t word;
		memcpy(&word, p + i, 8);
		if (word & UINT64_C(0x8080808080808080))
			break;
	}
	while (i < n && p[i] < 0x80)
		i++;
	return i;
}

bool utf8_feed_scalar(struct utf8_state *s, const void *p, size_t n)
{
	const uint8_t *byte = p;
	uint32_t state = s->_state;
	size_t i = 0;
	while (i < n && state != STATE_BAD) {
		if (state == 0 && byte[i] < 0x80)
			i += ascii_prefix(byte + i, n - i);
		else
			state = state_after(state, byte[i++]);
	}
	s->_state = state;
	return state != STATE_BAD;
}

#if defined(__x86_64__)
/* Keiser and Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte" (2020): every fault
 * shows in two neighbouring bytes. Three tables, looked up by the first byte's halves and the
 * second's high half, name the faults each half is compatible with; what all three name is there.
 * What is left are sequences that need a third or fourth byte: found from the lead 2 and 3 back. */
enum {
	TOO_SHORT = 1 << 0,    /* a lead without continuation */
	TOO_LONG = 1 << 1,     /* a continuation after ASCII */
	OVERLONG_3 = 1 << 2,
	TOO_LARGE = 1 << 3,    /* F4 90 and up */
	SURROGATE = 1 << 4,
	OVERLONG_2 = 1 << 5,
	OVERLONG_4 = 1 << 6,   /* with the next, told apart by the tables */
	TOO_LARGE_F5 = 1 << 6,
	TWO_CONTS = 1 << 7,    /* fine only as third or fourth byte */
	ANY_LOW = TOO_SHORT | TOO_LONG | TWO_CONTS, /* do not depend on the first byte's low half */
};
#define BLOCK_BYTES 32
#define FAST_BYTES_MIN 16 /* below, SIMD gains nothing */
#define ROW(x) (char)(x)
#define BOTH_HALVES(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

__attribute__((target("avx2"))) static __m256i faults_of_pairs(__m256i first, __m256i second)
{
	const __m256i by_first_high = BOTH_HALVES(
		TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
		ROW(TWO_CONTS), ROW(TWO_CONTS), ROW(TWO_CONTS), ROW(TWO_CONTS),
		TOO_SHORT | OVERLONG_2, TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE,
		TOO_SHORT | TOO_LARGE | TOO_LARGE_F5 | OVERLONG_4);
	const char huge = ROW(ANY_LOW | TOO_LARGE | TOO_LARGE_F5);
	const __m256i by_first_low = BOTH_HALVES(
		ROW(ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4), ROW(ANY_LOW | OVERLONG_2),
		ROW(ANY_LOW), ROW(ANY_LOW), ROW(ANY_LOW | TOO_LARGE), huge, huge, huge, huge, huge,
		huge, huge, huge, ROW(ANY_LOW | TOO_LARGE | TOO_LARGE_F5 | SURROGATE), huge, huge);
	const char cont = ROW(TOO_LONG | OVERLONG_2 | TWO_CONTS);
	const __m256i by_second_high = BOTH_HALVES(
		TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
		ROW(cont | OVERLONG_3 | OVERLONG_4 | TOO_LARGE_F5), ROW(cont | OVERLONG_3 | TOO_LARGE),
		ROW(cont | SURROGATE | TOO_LARGE), ROW(cont | SURROGATE | TOO_LARGE),
		TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT);
	const __m256i low4 = _mm256_set1_epi8(0x0F);
	__m256i first_high = _mm256_and_si256(_mm256_srli_epi16(first, 4), low4);
	__m256i first_low = _mm256_and_si256(first, low4);
	__m256i second_high = _mm256_and_si256(_mm256_srli_epi16(second, 4), low4);
	return _mm256_and_si256(_mm256_shuffle_epi8(by_first_high, first_high),
				_mm256_and_si256(_mm256_shuffle_epi8(by_first_low, first_low),
						 _mm256_shuffle_epi8(by_second_high, second_high)));
}

/* The faults in `now`, which follows `before` in the text. */
__attribute__((target("avx2"))) static __m256i faults_of_block(__m256i before, __m256i now)
{
	__m256i across = _mm256_permute2x128_si256(before, now, 0x21);
	__m256i back1 = _mm256_alignr_epi8(now, across, 15);
	__m256i back2 = _mm256_alignr_epi8(now, across, 14);
	__m256i back3 = _mm256_alignr_epi8(now, across, 13);
	__m256i third = _mm256_subs_epu8(back2, _mm256_set1_epi8(0xE0 - 0x80));
	__m256i fourth = _mm256_subs_epu8(back3, _mm256_set1_epi8(0xF0 - 0x80));
	__m256i must_continue = _mm256_and_si256(_mm256_or_si256(third, fourth),
						 _mm256_set1_epi8(ROW(0x80)));
	return _mm256_xor_si256(must_continue, faults_of_pairs(back1, now));
}

/* Checks a text that begins and ends with whole characters. */
__attribute__((target("avx2"))) static bool text_valid(const uint8_t *p, size_t n)
{
	__m256i before = _mm256_setzero_si256();
	__m256i faults = _mm256_setzero_si256();
	bool ascii_before = true;
	for (size_t i = 0; i < n; i += BLOCK_BYTES) {
		uint8_t padded[BLOCK_BYTES] = { 0 }; /* zeros end a text as ASCII does */
		const uint8_t *block = p + i;
		if (n - i < BLOCK_BYTES) {
			memcpy(padded, block, n - i);
			block = padded;
		}
		__m256i now = _mm256_loadu_si256((const __m256i *)(const void *)block);
		bool ascii = _mm256_movemask_epi8(now) == 0;
		if (!ascii || !ascii_before)
			faults = _mm256_or_si256(faults, faults_of_block(before, now));
		ascii_before = ascii;
		before = now;
	}
	/* The last block, when full, may end in the midst of a character; then the next is to come. */
	if (!ascii_before)
		faults = _mm256_or_si256(faults, faults_of_block(before, _mm256_setzero_si256()));
	return _mm256_testz_si256(faults, faults) != 0;
}

/* How many bytes at the end of p[0..n) belong to a character that goes on behind them, if what
 * stands before is valid. */
static size_t broken_off(const uint8_t *p, size_t n)
{
	for (size_t back = 1; back <= 3; back++) {
		uint8_t byte = p[n - back];
		size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
		if (byte < 0x80 || byte >= 0xC0)
			return length > back ? back : 0;
	}
	return 0;
}

/* The scalar twin finishes the character before and begins the last one, between is SIMD. */
bool utf8_feed(struct utf8_state *s, const void *p, size_t n)
{
	const uint8_t *byte = p;
	size_t done = 0;
	if (n < FAST_BYTES_MIN || !__builtin_cpu_supports("avx2"))
		return utf8_feed_scalar(s, p, n);
	while (done < 3 && s->_state != 0)
		s->_state = state_after(s->_state, byte[done++]);
	size_t end = n - broken_off(byte, n);
	if (s->_state != 0 || !text_valid(byte + done, end - done)) {
		s->_state = STATE_BAD;
		return false;
	}
	return utf8_feed_scalar(s, byte + end, n - end);
}
#else
bool utf8_feed(struct utf8_state *s, const void *p, size_t n)
{
	return utf8_feed_scalar(s, p, n);
}
#endif

bool utf8_complete(const struct utf8_state *s)
{
	return s->_state == 0;
}

bool utf8_valid(const void *p, size_t n)
{
	struct utf8_state s = { 0 };
	return utf8_feed(&s, p, n) && utf8_complete(&s);
}
