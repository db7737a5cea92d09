# same base name as the program
