#include "code_returns.h"

#if defined(__x86_64__)
#include <Zydis/Zydis.h>

int code_returns(const unsigned char *code, uint32_t length, uint32_t found[], int most)
{
	ZydisDecodedInstruction instruction;
	ZydisDecoder decoder;
	int count = 0;

	if (!ZYAN_SUCCESS(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return -1;
	for (uint32_t at = 0; at < length; at += instruction.length) {
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, ZYAN_NULL, code + at, length - at,
								&instruction)))
			return -1;
		if (instruction.mnemonic != ZYDIS_MNEMONIC_RET)
			continue;
		if (count == most)
			return -1;
		found[count++] = at;
	}
	return count;
}
#else
#include <string.h>

#define RET 0xd65f03c0u /* ret x30 */
/* Returns with a signed address (RETAA, RETAB; Arm ARM, C6.2): Go makes none, and uprobes cannot be on them. */
#define RET_SIGNED 0xd65f0bffu
#define RET_SIGNED_MASK 0xfffffbffu

int code_returns(const unsigned char *code, uint32_t length, uint32_t found[], int most)
{
	int count = 0;

	if (length % 4)
		return -1;
	for (uint32_t at = 0; at < length; at += 4) {
		uint32_t word;

		memcpy(&word, code + at, sizeof(word));
		if ((word & RET_SIGNED_MASK) == RET_SIGNED)
			return -1;
		if (word != RET)
			continue;
		if (count == most)
			return -1;
		found[count++] = at;
	}
	return count;
}
#endif
