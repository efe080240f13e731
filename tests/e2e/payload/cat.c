/* The whole user land of the test images: prints the files it is given. Linked statically, so that it
   runs in an image that is built from nothing. */
#include <stdio.h>

int main(int argc, char **argv)
{
    char block[4096];
    size_t length;

    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }
        while ((length = fread(block, 1, sizeof block, file)) > 0)
            fwrite(block, 1, length, stdout);
        fclose(file);
    }
    return 0;
}
