# The ggml headers that the weight window is compiled against: those of the llama-cpp-python that is
# installed beside the Python doing the build. Sets ASSISTANT_GGML_INCLUDE_DIR, _VERSION and _COMMIT;
# nothing of ggml is linked (native/window/library.h says why).
find_package(Python COMPONENTS Interpreter REQUIRED)
execute_process(
  COMMAND "${Python_EXECUTABLE}" "${CMAKE_CURRENT_LIST_DIR}/find_ggml.py"
  OUTPUT_VARIABLE GGML_FOUND OUTPUT_STRIP_TRAILING_WHITESPACE)
if(GGML_FOUND)
  list(GET GGML_FOUND 0 GGML_FOUND_INCLUDE_DIR)
  list(GET GGML_FOUND 1 GGML_FOUND_VERSION)
  list(GET GGML_FOUND 2 GGML_FOUND_COMMIT)
  list(GET GGML_FOUND 3 GGML_FOUND_LIBRARY)
endif()
set(ASSISTANT_GGML_INCLUDE_DIR "${GGML_FOUND_INCLUDE_DIR}" CACHE PATH "Folder with ggml.h and gguf.h")
set(ASSISTANT_GGML_VERSION "${GGML_FOUND_VERSION}" CACHE STRING "ggml_version() of the library that will be loaded")
set(ASSISTANT_GGML_COMMIT "${GGML_FOUND_COMMIT}" CACHE STRING "ggml_commit() of that library; empty: not compared")
set(ASSISTANT_LLAMA_LIBRARY "${GGML_FOUND_LIBRARY}" CACHE FILEPATH "The libllama that tests load")
