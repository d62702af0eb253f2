#include "apps/cli/command_line.h"

int main(int argc, char** argv) {
  asof::cli::Output out;
  return asof::cli::run(argc, argv, out);
}
