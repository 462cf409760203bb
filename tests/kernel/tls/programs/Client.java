import java.security.cert.X509Certificate;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

/** Asks an HTTPS server once, by Java's own TLS, when a line comes on stdin. */
class Client {
    static final class Anyone implements X509TrustManager {
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }

    public static void main(String[] arguments) throws Exception {
        System.out.println("ready");
        System.in.read();
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {new Anyone()}, null);
        int port = Integer.parseInt(arguments[0]);
        try (SSLSocket link = (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", port)) {
            String request = "GET /" + arguments[1] + " HTTP/1.1\r\nConnection: close\r\n\r\n";
            link.getOutputStream().write(request.getBytes());
            link.getInputStream().readAllBytes();
        }
        System.in.read();
        System.in.read();
    }
}
