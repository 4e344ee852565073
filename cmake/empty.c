/* A folder that has no sources yet still makes a library. */
typedef int lemp_empty;
