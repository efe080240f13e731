// What ko builds: it says where it was built.
package main

import "os"

func main() {
	os.Stdout.WriteString("built by ko\n")
}
