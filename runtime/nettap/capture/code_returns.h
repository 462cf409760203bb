/* The return instructions of a function: where a Go function is left, as return probes would break Go's moving stacks.
 *
 * Called by tls_find.c. A probe in the middle of an instruction would corrupt the program, so a function with one
 * instruction that cannot be decoded, or whose instructions do not end where the function does, has no returns at all.
 */
#ifndef NETTAP_CODE_RETURNS_H
#define NETTAP_CODE_RETURNS_H

#include <stdint.h>

/* Write the offsets of the returns in code[0..length) to found[], at most `most`. Return how many there are, or -1 when
 * the code cannot be read with certainty or has more. */
int code_returns(const unsigned char *code, uint32_t length, uint32_t found[], int most);

#endif
