/* All programs of nettap, one translation unit and one object: the loader chooses which of them to load.
 *
 * Laws that hold for each: the allow map of cgroups is asked first; nothing is written but our own maps; every failure
 * is counted, and lost bytes are told as a gap.
 */
#include "endings.h"
#include "functions.h"
#include "io_uring.h"
#include "processes.h"
#include "syscalls.h"
#include "tls_go.h"
#include "tls_mapped.h"
#include "tls_openssl.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
