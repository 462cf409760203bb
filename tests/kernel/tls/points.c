/* Prints the places that tls_find() chooses in each file named: for tests of it. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tls_find.h"

int main(int count, char **names)
{
	static struct tls_points points;

	for (int i = 1; i < count; i++) {
		int fd = open(names[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0 || !tls_find(fd, &points))
			return 1;
		printf("%u %s %s", points.source, points.refused ? points.refused : "-",
		       points.version[0] ? points.version : "-");
		for (unsigned int j = 0; j < points.count; j++)
			printf(" %d:%d:%llx", points.point[j].program, points.point[j].at_return,
			       (unsigned long long)points.point[j].offset);
		printf("\n");
		close(fd);
	}
	return 0;
}
