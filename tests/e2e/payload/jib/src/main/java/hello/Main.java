package hello;

/** What Jib builds: it says where it was built. */
public class Main {
    public static void main(String[] arguments) {
        System.out.println("built by Jib");
    }
}
