# Warnings are errors in our code; hardening as reliability asks (threat 32).
include(CTest)
option(LEMP_SIM "build the simulator" ON)
option(LEMP_FUZZ "build the fuzzers (clang)" OFF)
set(LEMP_SANITIZE "" CACHE STRING "sanitizers, e.g. address,undefined or thread")

add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
	-Werror -fno-strict-aliasing -fno-omit-frame-pointer)
add_compile_definitions(_GNU_SOURCE LEMP_VERSION="${PROJECT_VERSION}")
if(CMAKE_BUILD_TYPE STREQUAL "Release")
	add_compile_options(-O2 -g1 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong)
	add_link_options(-Wl,-z,relro,-z,now)
	set(CMAKE_C_FLAGS_RELEASE "-DNDEBUG")
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(LEMP_SANITIZE)
	add_compile_options(-fsanitize=${LEMP_SANITIZE} -fno-sanitize-recover=all -O1 -g)
	add_link_options(-fsanitize=${LEMP_SANITIZE})
endif()
