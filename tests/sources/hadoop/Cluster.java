import java.io.File;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.security.UserGroupInformation;

/** A name node and a data node of the user "owner" in one process: says the port of WebHDFS, ends with its input. */
public class Cluster {
    public static void main(String[] given) throws Exception {
        UserGroupInformation.setLoginUser(UserGroupInformation.createRemoteUser("owner"));
        MiniDFSCluster cluster = new MiniDFSCluster.Builder(new Configuration(), new File(given[0])).build();
        cluster.waitActive();
        System.out.println("port " + cluster.getNameNode().getHttpAddress().getPort());
        while (System.in.read() >= 0) {
        }
        cluster.shutdown();
        System.exit(0);
    }
}
