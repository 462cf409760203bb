/* Files that were looked through for TLS, and the probes in those that have it: each file once, whoever maps it.
 *
 * Called by tls.c. A probe is on the file and so in every process that maps it; which of these are captured, the programs
 * ask the allow map. Files stay known, and their probes in place, for a while after their last user ended, as programs
 * like curl come again and again.
 */
#ifndef NETTAP_TLS_FILES_H
#define NETTAP_TLS_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "proc_maps.h"

#define TLS_FILES_MAX 4096
#define TLS_PROBED_MAX 256 /* of them with probes */

struct nettap_bpf;
struct tls_file;

void tls_files_init(struct nettap_bpf *programs);

/* The file as it is known, looked through and probed where that was not done yet; NULL: it cannot be had now. */
struct tls_file *tls_file_of(const char *procfs, unsigned int tgid, const struct mapped_file *mapped, uint64_t now_ns);

unsigned int tls_file_source(const struct tls_file *file); /* enum nettap_source, or 0 */
const char *tls_file_refused(const struct tls_file *file); /* why its TLS is not captured, or NULL */
const char *tls_file_version(const struct tls_file *file);
unsigned int tls_file_points(const struct tls_file *file);

/* Counted by processes. */
void tls_file_use(struct tls_file *file);
void tls_file_release(struct tls_file *file, uint64_t now_ns);

/* Take the probes out of files that nobody has used for a while. */
void tls_files_expire(uint64_t now_ns);
void tls_files_forget(void); /* of all */

#endif
